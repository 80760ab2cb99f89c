import { readFile } from 'node:fs/promises';

/** Whether the process waits for a FUSE server to answer. */
export async function waitsInFuse(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/wchan`, 'utf8').catch(() => '')) === 'request_wait_answer';
}
