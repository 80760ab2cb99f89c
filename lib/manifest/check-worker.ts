import { parentPort } from 'node:worker_threads';
import { parseExactly } from '../core/index.js';
import type { CheckDone, CheckTask } from './check-thread.js';
import { compiledInputFrom } from './input-schema.js';
import { digestFrom } from './request-digest.js';

// Checks one request after the other; the caller that waits for the answer ends this thread where it takes too long.

const port = parentPort;
if (port === null) throw new TypeError('This file is the code of a worker thread.');
port.on('message', ({ schema, bytes }: CheckTask) => {
  const compiled = schema === null ? null : compiledInputFrom(parseExactly(schema));
  const input = parseExactly(Buffer.from(bytes).toString());
  compiled?.prepare(input);
  port.postMessage('begun');
  const done: CheckDone =
    compiled === null ? { digest: digestFrom(input) } : { fault: compiled.unbounded(input) };
  port.postMessage(done);
});
