import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FsError } from '../core/index.js';
import { makeDirs } from '../linux/index.js';

const CHUNK_BYTES = 1024 * 1024;
const TRIES = 200;
const PAUSE_MS = 5;

interface Held {
  readonly name: string;
  readonly fd: number;
  readonly size: number;
}

/**
 * Copies files of `from` to `to` while another process appends to them and replaces them: what comes about is what a kill at about one
 * instant would have left. `list` names them, relative to `from`; of what the writer writes in an order, what is written last
 * comes first in it. Answers the names that were copied.
 * @throws FsError EBUSY where files come and go all the time
 */
export async function copyAsOf(from: string, to: string, list: () => readonly string[]): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    const held = holdAll(from, list);
    if (held !== null) {
      try {
        for (const one of held) copyHeld(one, join(to, one.name));
        return held.map(({ name }) => name);
      } finally {
        letGo(held);
      }
    }
    if (tries === TRIES)
      throw new FsError('EBUSY', `The files in ${from} do not hold still for a copy.`, {
        hint: 'Try again when there are fewer calls, or stop the node for the time of the backup.',
        path: from,
      });
    await delay(PAUSE_MS);
  }
}

/** Each file, opened and measured, all within a moment; null where one came or went meanwhile. */
function holdAll(from: string, list: () => readonly string[]): Held[] | null {
  const held: Held[] = [];
  try {
    const names = list();
    for (const name of names) {
      const fd = openSync(join(from, name), 'r');
      held.push({ name, fd, size: 0 });
    }
    const measured = held.map((one) => ({ ...one, size: fstatSync(one.fd).size }));
    if (list().join('\0') === names.join('\0')) return measured;
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code !== 'ENOENT') {
      letGo(held);
      throw error;
    }
  }
  letGo(held);
  return null;
}

function letGo(held: readonly Held[]): void {
  for (const { fd } of held) closeSync(fd);
}

function copyHeld({ fd, size }: Held, to: string): void {
  makeDirs(dirname(to), 0o700);
  const target = openSync(to, 'wx', 0o600);
  try {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, size)));
    for (let at = 0; at < size;) {
      const read = readSync(fd, chunk, 0, Math.min(chunk.length, size - at), at);
      if (read === 0) return;
      for (let done = 0; done < read;) done += writeSync(target, chunk, done, read - done);
      at += read;
    }
  } finally {
    closeSync(target);
  }
}
