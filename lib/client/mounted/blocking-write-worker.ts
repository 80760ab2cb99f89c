/** The thread of `BlockingWrites`: writes, and says what came of it. */
import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { WriteOrder, WriteOutcome } from './blocking-writes.js';

parentPort?.on('message', ({ fd, data, at }: WriteOrder) => {
  let outcome: WriteOutcome;
  try {
    outcome = { written: writeSync(fd, data, 0, data.length, at) };
  } catch (thrown) {
    const { code = 'EIO', message } = thrown as NodeJS.ErrnoException;
    outcome = { code, message };
  }
  parentPort?.postMessage(outcome);
});
