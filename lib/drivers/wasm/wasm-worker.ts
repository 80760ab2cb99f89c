// The thread of a `wasm` driver: a fresh instance for each call, made ahead of it while there is time.
import { openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ProgressLines } from '../progress-lines.js';
import type { FromWorker, ToWorker } from '../worker/messages.js';
import { PacedProgress } from '../worker/paced-progress.js';
import { stdioImports, type Stdio, type WasiImports } from './stdio-imports.js';
import { engine, type WasmInstance, type WasmMemory, type WasmModule } from './web-assembly.js';

export interface WasmWorkerData {
  readonly module: WasmModule;
  readonly entrypoint: string;
  readonly args: readonly string[];
  /** `NAME=value`, before the call's own. */
  readonly env: readonly string[];
  readonly maxOutputBytes: number;
}

interface Prepared {
  run(stdio: Stdio): number;
}

const TAIL_BYTES = 2_048;
/** What an instance has before its call. */
const NO_STDIO: Stdio = { stdin: new Uint8Array(), env: [], write: () => undefined };
if (parentPort === null) throw new TypeError('This module is the body of a worker thread.');
const port = parentPort;
const { module, entrypoint, args, env, maxOutputBytes } = workerData as WasmWorkerData;
const post = (message: FromWorker): void => port.postMessage(message);

class TooMuchOutput extends Error {}

// Node says "experimental" once for each thread that loads its WASI; the choice of `wasm` implies it.
process.emitWarning = () => undefined;
const { WASI } = await import('node:wasi');
// Standard streams never reach it (see stdioImports), but it wants descriptors.
const nowhere = openSync('/dev/null', 'r+');
let next: Prepared | null = prepare();

port.on('message', (message: ToWorker) => {
  if (message.type !== 'call') return;
  post(serve(message));
  next = prepare();
});
post({ type: 'ready' });

function prepare(): Prepared {
  let stdio = NO_STDIO;
  const wasi = new WASI({
    version: 'preview1',
    args: [...args],
    env: {},
    returnOnExit: true,
    stdin: nowhere,
    stdout: nowhere,
    stderr: nowhere,
  });
  const imports = stdioImports(
    wasi.wasiImport as WasiImports,
    () => instance.exports['memory'] as WasmMemory,
    () => stdio,
  );
  const instance: WasmInstance = new engine.Instance(module, { wasi_snapshot_preview1: imports });
  const { memory, _initialize: initialize } = instance.exports;
  const start = instance.exports[entrypoint] as () => unknown;
  return {
    run: (given) => {
      stdio = given;
      let status = 0;
      // Node runs `_start` alone, so whatever the entry is called, it goes by that name.
      const _start = (): void => {
        if (typeof initialize === 'function' && entrypoint !== '_start') (initialize as () => void)();
        const returned = start();
        if (typeof returned === 'number') status = returned;
      };
      return wasi.start({ exports: { memory, _start } }) || status;
    },
  };
}

function serve(call: Extract<ToWorker, { type: 'call' }>): FromWorker {
  const chunks: Uint8Array[] = [];
  const passed = { stdout: 0, stderr: 0 };
  let tail = Buffer.alloc(0);
  const output = (stream: 'stdout' | 'stderr', chunk: Uint8Array): void => {
    const before = passed[stream];
    passed[stream] += chunk.length;
    if (stream === 'stdout') {
      if (passed.stdout > maxOutputBytes) throw new TooMuchOutput();
      chunks.push(chunk);
    } else tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
    if (before <= maxOutputBytes) post({ type: 'output', stream, chunk });
  };
  const progress = new PacedProgress((value) => post({ type: 'progress', value }));
  const stderr = new ProgressLines(
    (chunk) => output('stderr', chunk),
    (value) => progress.say(value),
  );
  const stdio: Stdio = {
    stdin: Buffer.from(call.payload),
    env: [...env, ...environmentOf(call)],
    write: (stream, chunk) => (stream === 'stderr' ? stderr.take(chunk) : output('stdout', chunk)),
  };
  const run = (): number => {
    try {
      return (next ?? prepare()).run(stdio);
    } finally {
      next = null;
      stderr.end();
      progress.flush();
    }
  };
  try {
    const status = run();
    if (status !== 0) return { type: 'exited', status, stderrTail: tail.toString('utf8') };
    return { type: 'done', result: Buffer.concat(chunks) };
  } catch (thrown) {
    if (thrown instanceof TooMuchOutput) return { type: 'too-much-output' };
    const said = tail.toString('utf8').trim();
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return { type: 'failed', message: said === '' ? why : `${why}: ${said}` };
  }
}

function environmentOf({ facts, config }: Extract<ToWorker, { type: 'call' }>): string[] {
  const variables = Object.entries(facts).map(
    ([name, value]) => `ACHERON_CALL_${name.toUpperCase()}=${value ?? ''}`,
  );
  // It has no files, so its config comes to it.
  return [...variables, `ACHERON_CALL_CONFIG=${JSON.stringify(config)}`];
}
