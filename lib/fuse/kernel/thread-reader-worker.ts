import { readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { isUnmounted } from './reader.js';
import type { ThreadReaderData, ThreadReaderMessage } from './thread-reader.js';
import { workerPort } from './worker-port.js';

/** EINTR, and ENOENT (the request was aborted while it was read): read again. */
const AGAIN = new Set(['EINTR', 'ENOENT', 'EAGAIN']);

const { fd, data, taken, slots, slotBytes } = workerData as ThreadReaderData;
const port = workerPort();
const words = new Int32Array(taken);
const buffers = Array.from({ length: slots }, (_, slot) => new Uint8Array(data, slot * slotBytes, slotBytes));

function post(message: ThreadReaderMessage): void {
  port.postMessage(message);
}

function read(into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, into);
    } catch (error) {
      if (!AGAIN.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

/** Fills the slots in turn, each once it is free again, until the mount or the reader ends. */
function fillSlots(): void {
  for (;;)
    for (const [slot, buffer] of buffers.entries()) {
      Atomics.wait(words, slot, 1);
      const length = read(buffer);
      if (length === 0 || Atomics.load(words, slots) === 1) return;
      Atomics.store(words, slot, 1);
      post({ slot, length });
    }
}

try {
  fillSlots();
  post({ end: null });
} catch (error) {
  post({ end: isUnmounted(error) ? null : String(error) });
}
