import { readFileSync } from 'node:fs';

/** The supplementary groups of a running process (proc(5), `status`); none where it is gone. */
export function groupsOfProcess(pid: number): number[] {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    // A caller that has died needs no answer.
    return [];
  }
  const line = /^Groups:\t(.*)$/m.exec(status)?.[1] ?? '';
  return line.split(' ').filter(Boolean).map(Number);
}
