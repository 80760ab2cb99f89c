import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { workerPort } from './worker-port.js';

const port = workerPort();
const { fd } = workerData as { fd: number };

port.on('message', (message: Uint8Array) => {
  try {
    writeSync(fd, message);
  } catch {
    // ENOENT: the kernel does not know it (any more); ENODEV: the mount is gone. Either way it is not cached.
  }
  port.postMessage(1);
});
