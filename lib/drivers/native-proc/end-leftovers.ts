import { readFileSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import { LEDGER_FORMAT, TAG_VARIABLE, bootId } from './process-ledger.js';
import { allProcesses, variableOfProcess, type ProcessFacts } from './proc-table.js';
import { groupEmptied, signalGroup } from './signal-group.js';

/**
 * Ends what a killed node left running: each group whose leader still has the recorded pid and start
 * time, and each process that carries a tag of the run that `file` is of (a member whose leader is gone,
 * or a process that was started but not yet recorded). SIGTERM, and SIGKILL after `graceMs`. A process
 * that merely has a recorded pid is never touched, nor is this process or an ancestor of it.
 *
 * @returns the process groups that it ended.
 * @throws FsError EIO when the file is of a later format than this release knows.
 */
export async function endLeftovers(file: string, graceMs = 2_000): Promise<number[]> {
  const ledger = readLedger(file);
  if (ledger === null) return [];
  const processes = allProcesses().filter((one) => !one.isZombie);
  const own = groupsOfSelf(processes);
  const groups = new Set<number>();
  for (const one of processes) if (!own.has(one.group) && belongsTo(one, ledger)) groups.add(one.group);
  await Promise.all([...groups].map((group) => endGroup(group, graceMs)));
  return [...groups];
}

interface Ledger {
  readonly run: string;
  /** Start time by pid. */
  readonly leaders: ReadonlyMap<number, string>;
}

function readLedger(file: string): Ledger | null {
  let lines: string[];
  try {
    lines = readFileSync(file, 'latin1').split('\n');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw FsError.from(thrown);
  }
  const [header = ''] = lines;
  const [kind, format, boot, run] = header.trim().split(' ');
  if (kind !== 'acheron-processes' || boot === undefined || run === undefined) return null;
  if (Number(format) > LEDGER_FORMAT)
    throw new FsError(
      'EIO',
      `${file} is of format ${format ?? '?'}, and this release reads up to ${LEDGER_FORMAT}.`,
      { hint: 'Use the release that wrote it, or a later one.', path: file },
    );
  if (boot !== bootId()) return null;
  const leaders = lines
    .slice(1)
    .map((line) => line.trim().split(' '))
    .map(([pid, start = '-']): [number, string] => [Number(pid), start])
    .filter(([pid, start]) => pid > 1 && start !== '-');
  return { run, leaders: new Map(leaders) };
}

function belongsTo(one: ProcessFacts, ledger: Ledger): boolean {
  if (one.group <= 1) return false;
  if (one.group === one.pid && ledger.leaders.get(one.pid) === one.startTime) return true;
  return variableOfProcess(one.pid, TAG_VARIABLE)?.startsWith(`${ledger.run}-`) === true;
}

function groupsOfSelf(processes: readonly ProcessFacts[]): Set<number> {
  const byPid = new Map(processes.map((one) => [one.pid, one]));
  const groups = new Set<number>();
  for (let one = byPid.get(process.pid); one !== undefined; one = byPid.get(one.parent))
    groups.add(one.group);
  return groups;
}

async function endGroup(group: number, graceMs: number): Promise<void> {
  if (!signalGroup(group, 'SIGTERM')) return;
  if (await groupEmptied(group, graceMs)) return;
  signalGroup(group, 'SIGKILL');
  await groupEmptied(group, 5_000);
}
