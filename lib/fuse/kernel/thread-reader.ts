import { closeSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { FUSE_ROOT_ID } from './constants.js';
import { retrieve } from './notify.js';
import { READ_BUFFER_BYTES, type Reader } from './reader.js';

/** What the worker is given: `slots` buffers in `data`, and in `taken` a word for each and one that says to stop. */
export interface ThreadReaderData {
  readonly fd: number;
  readonly data: SharedArrayBuffer;
  readonly taken: SharedArrayBuffer;
  readonly slots: number;
  readonly slotBytes: number;
}
/** What it sends: that a request lies in a slot, or that there are no more, and why. */
export type ThreadReaderMessage =
  { readonly slot: number; readonly length: number } | { readonly end: string | null };

/** How far the worker may read ahead. */
const SLOTS = 8;
/** The buffers of a reader that ended, for the next: mounting again and again shall not wait for a collection. */
let spare: SharedArrayBuffer | undefined;

/**
 * A worker thread blocks in read(2) and hands over what came, through shared memory. `fd` must block.
 */
export function threadReader(fd: number): Reader {
  const data = spare ?? new SharedArrayBuffer(SLOTS * READ_BUFFER_BYTES);
  spare = undefined;
  const taken = new SharedArrayBuffer((SLOTS + 1) * 4);
  const words = new Int32Array(taken);
  const buffers = Array.from({ length: SLOTS }, (_, slot) =>
    Buffer.from(data, slot * READ_BUFFER_BYTES, READ_BUFFER_BYTES),
  );
  return {
    kind: 'thread',
    bufferBytes: READ_BUFFER_BYTES,
    start(onRequest, onEnd) {
      const workerData: ThreadReaderData = { fd, data, taken, slots: SLOTS, slotBytes: READ_BUFFER_BYTES };
      const worker = new Worker(new URL('./thread-reader-worker.js', import.meta.url), {
        workerData,
        name: 'fuse-reader',
        env: {},
        execArgv: [],
      });
      let failure: Error | undefined;
      worker.on('message', (message: ThreadReaderMessage) => {
        if ('end' in message) {
          if (message.end !== null) failure = new Error(message.end);
          return;
        }
        const buffer = buffers[message.slot];
        if (buffer !== undefined) onRequest(buffer, message.length);
        Atomics.store(words, message.slot, 0);
        Atomics.notify(words, message.slot);
      });
      worker.on('error', (error: Error) => {
        failure ??= error;
      });
      return new Promise((resolve) => {
        worker.on('exit', () => {
          spare = data;
          void onEnd().then(() => {
            closeSync(fd);
            resolve(failure);
          });
        });
      });
    },
    stop() {
      Atomics.store(words, SLOTS, 1);
      try {
        writeSync(fd, retrieve(FUSE_ROOT_ID)); // the kernel answers with a request, which wakes the worker
      } catch {
        // the mount is gone, and with it the read ends by itself
      }
    },
  };
}
