import { program, source, type Starter } from './starter.js';

const WARM = `A process per call costs what the interpreter's start costs. As this driver does nothing before it reads its
input, you may add \`"mode": "warm"\` to \`runtime\` in the manifest: a process then waits for the next call.`;

export const SHELL: Starter = {
  title: 'shell',
  runtime: {
    type: 'native_proc',
    executable_path: './driver.sh',
    args: ['{payload.name}'],
    output: 'text',
    timeout_ms: 10_000,
  },
  files: new Map([
    [
      'driver.sh',
      program(`#!/bin/sh
# driver.sh NAME: what is printed is the result; what goes to stderr is for people; exit 0 means success.
set -eu
printf 'Hello, %s.\\n' "$1"
`),
    ],
  ]),
  build: [],
  tryIt: './driver.sh world',
  notes: `The node takes the request apart: \`{payload.name}\` in \`args\` becomes one argument, whatever it contains. The whole
request is on standard input as well, for \`jq\`. Because of \`"output": "text"\` the result is \`{"text": "…"}\`; without it, print
JSON.`,
};

export const PYTHON: Starter = {
  title: 'Python',
  runtime: {
    type: 'native_proc',
    executable_path: 'python3',
    args: ['./driver.py'],
    timeout_ms: 10_000,
  },
  files: new Map([
    [
      'driver.py',
      program(`#!/usr/bin/env python3
"""{"name": "…"} -> {"greeting": "…"}. stderr is for people; exit 0 means success."""
import json
import sys

payload = json.load(sys.stdin)
json.dump({"greeting": "Hello, %s." % payload["name"]}, sys.stdout, ensure_ascii=False)
`),
    ],
  ]),
  build: [],
  tryIt: `echo '{"name": "world"}' | python3 driver.py`,
  notes: WARM,
};

export const NODE: Starter = {
  title: 'JavaScript',
  runtime: {
    type: 'native_proc',
    executable_path: 'node',
    args: ['./driver.mjs'],
    timeout_ms: 10_000,
  },
  files: new Map([
    [
      'driver.mjs',
      program(`#!/usr/bin/env node
// {"name": "…"} -> {"greeting": "…"}. stderr is for people; exit status 0 means success.
import { readFileSync } from 'node:fs';

const payload = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify({ greeting: \`Hello, \${payload.name}.\` }));
`),
    ],
  ]),
  build: [],
  tryIt: `echo '{"name": "world"}' | node driver.mjs`,
  notes: WARM,
};

export const TYPESCRIPT: Starter = {
  title: 'TypeScript',
  runtime: { type: 'module', module_path: './driver.mjs', timeout_ms: 10_000 },
  files: new Map([
    [
      'driver.mts',
      source(`// {"name": "…"} -> {"greeting": "…"}. What it returns is the result; what it throws is the failure.

interface Payload {
  readonly name: string;
}

/** Of the call; there are also nodeId, serviceId, invocationId, deadlineMs, role, agentId, projectId, config. */
interface Context {
  /** Aborts when the call is cancelled or out of time. */
  readonly signal: AbortSignal;
}

export async function invoke(payload: Payload, _context: Context): Promise<{ greeting: string }> {
  return { greeting: \`Hello, \${payload.name}.\` };
}
`),
    ],
  ]),
  build: ['npx -p typescript tsc --strict --target es2022 --module nodenext driver.mts'],
  tryIt: `node -e "import('./driver.mjs').then((m) => m.invoke({ name: 'world' })).then(console.log)"`,
  notes: `The module stays loaded in a worker thread of the node, so a call costs no process. It shares the node's user and
files: for code that you do not trust, take a process or WebAssembly. \`console.error\` goes to the call's \`stderr\`.`,
};
