import { parentPort, type MessagePort } from 'node:worker_threads';

/** The way to the thread that started this one. @throws TypeError in a module that was not started as a thread */
export function workerPort(): MessagePort {
  if (parentPort === null) throw new TypeError('This module is the body of a worker thread.');
  return parentPort;
}
