#!/usr/bin/env node
// The reference driver of namespace-driver-v1 (docs/NAMESPACE_DRIVER_ABI_V1.md): the payload comes on
// stdin up to end of file, the result goes to stdout as one JSON document, words for people go to
// stderr, and exit status 0 means success. The payload's own text is returned, so that numbers too
// long for a JavaScript number come back as they went in. That is the whole contract; all else is yours.
import { readFileSync } from 'node:fs';

const text = readFileSync(0, 'utf8').trim();
const call = Object.entries(process.env)
  .filter(([name, value]) => name.startsWith('ACHERON_CALL_') && value !== '')
  .map(([name, value]) => [name.slice('ACHERON_CALL_'.length).toLowerCase(), value]);
try {
  if (!text.startsWith('{')) throw new SyntaxError('the payload must be a JSON object');
  JSON.parse(text);
  process.stdout.write(`{"ok":true,"echo":${text},"call":${JSON.stringify(Object.fromEntries(call))}}\n`);
} catch (error) {
  process.stderr.write(`echo: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
