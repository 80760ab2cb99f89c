import { readdirSync, readFileSync } from 'node:fs';

/** What /proc says of a process (proc_pid_stat(5)). */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** The process group. */
  readonly group: number;
  readonly session: number;
  /** Dead, but not yet reaped by its parent. */
  readonly isZombie: boolean;
  /** In clock ticks since boot: distinguishes a process from a later one with the same pid. */
  readonly startTime: string;
}

/** Null when there is no such process (or no /proc). */
export function processFacts(pid: number | string): ProcessFacts | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // The process has ended.
    return null;
  }
  // The name in parentheses may hold anything, ")" and blanks included: fields count from the last ")".
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid: Number(pid),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19] ?? '',
  };
}

export function allProcesses(): ProcessFacts[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    // The system has no /proc.
    return [];
  }
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processFacts(name))
    .filter((facts) => facts !== null);
}

/** The value of a variable in the environment that a process was started with; undefined where that is unknown. */
export function variableOfProcess(pid: number, name: string): string | undefined {
  try {
    const prefix = `${name}=`;
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .find((line) => line.startsWith(prefix))
      ?.slice(prefix.length);
  } catch {
    // The process has ended, or belongs to another user.
    return undefined;
  }
}
