import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { isUnmounted } from './reader.js';
import type { ThreadReaderData, ThreadReaderMessage } from './thread-reader.js';

/** EINTR, and ENOENT (the request was aborted while it was read): read again. */
const AGAIN = new Set(['EINTR', 'ENOENT', 'EAGAIN']);

const { fd, data, taken, slots, slotBytes } = workerData as ThreadReaderData;
const words = new Int32Array(taken);
const buffers = Array.from({ length: slots }, (_, slot) => new Uint8Array(data, slot * slotBytes, slotBytes));

function post(message: ThreadReaderMessage): void {
  parentPort!.postMessage(message);
}

function read(slot: number): number {
  for (;;) {
    try {
      return readSync(fd, buffers[slot]!);
    } catch (error) {
      if (!AGAIN.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

try {
  for (let slot = 0; ; slot = (slot + 1) % slots) {
    Atomics.wait(words, slot, 1);
    const length = read(slot);
    if (length === 0 || Atomics.load(words, slots) === 1) break;
    Atomics.store(words, slot, 1);
    post({ slot, length });
  }
  post({ end: null });
} catch (error) {
  post({ end: isUnmounted(error) ? null : String(error) });
}
