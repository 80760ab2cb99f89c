import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { fd } = workerData as { fd: number };

parentPort!.on('message', (message: Uint8Array) => {
  try {
    writeSync(fd, message);
  } catch {
    // ENOENT: the kernel does not know it (any more); ENODEV: the mount is gone. Either way it is not cached.
  }
  parentPort!.postMessage(1);
});
