import { parentPort } from 'node:worker_threads';
import type { JsonValue } from '../core/index.js';
import type { CheckDone, CheckTask } from './check-thread.js';
import { compiledInputFrom } from './input-schema.js';
import { digestFrom } from './request-digest.js';

// Checks one request after the other; the caller that waits for the answer ends this thread where it takes too long.

parentPort!.on('message', ({ schema, bytes }: CheckTask) => {
  const validate = schema === null ? null : compiledInputFrom(schema).unbounded;
  const input = JSON.parse(Buffer.from(bytes).toString()) as JsonValue;
  parentPort!.postMessage('begun');
  const done: CheckDone = validate === null ? { digest: digestFrom(input) } : { fault: validate(input) };
  parentPort!.postMessage(done);
});
