// The thread of a `wasm` driver: a fresh instance for each call, made ahead of it while there is time.
import { openSync } from 'node:fs';
import type { WASI } from 'node:wasi';
import { parentPort, workerData } from 'node:worker_threads';
import { ProgressLines } from '../progress-lines.js';
import type { FromWorker, ToWorker } from '../worker/messages.js';
import { PacedProgress } from '../worker/paced-progress.js';
import { ProgramExit, stdioImports, type Stdio, type WasiImports } from './stdio-imports.js';
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

const WASI_MODULE = 'wasi_snapshot_preview1';
const TAIL_BYTES = 2_048;
/** What an instance has before its call. */
const NO_STDIO: Stdio = { stdin: new Uint8Array(), env: [], write: () => undefined };
if (parentPort === null) throw new TypeError('This module is the body of a worker thread.');
const port = parentPort;
const { module, entrypoint, args, env, maxOutputBytes } = workerData as WasmWorkerData;
const post = (message: FromWorker): void => port.postMessage(message);

class TooMuchOutput extends Error {}

/** Of the instance that runs, or is being made. */
let stdio = NO_STDIO;
let instance: WasmInstance | undefined;
let rest: WasiImports | null = null;
const own = stdioImports(args, {
  memory: () => instance?.exports['memory'] as WasmMemory,
  stdio: () => stdio,
  rest: () => rest,
});
const others = engine.Module.imports(module)
  .filter((wanted) => wanted.module === WASI_MODULE && !(wanted.name in own))
  .map(({ name }) => name);
const imports = { [WASI_MODULE]: { ...own, ...Object.fromEntries(others.map(passedOn)) } };
/** Node's WASI, where the module asks for more than is answered here: clocks, folders, sockets. */
const Wasi = others.length === 0 ? null : await nodeWasi();
// Standard streams never reach it, but it wants descriptors.
const nowhere = Wasi === null ? -1 : openSync('/dev/null', 'r+');
let next: Prepared | null = prepare();

port.on('message', (message: ToWorker) => {
  if (message.type !== 'call') return;
  post(serve(message));
  next = prepare();
});
post({ type: 'ready' });

async function nodeWasi(): Promise<typeof WASI> {
  // Node says "experimental" once for each thread that loads it; the choice of `wasm` implies it.
  process.emitWarning = () => undefined;
  return (await import('node:wasi')).WASI;
}

function passedOn(name: string): [string, (...args: never[]) => unknown] {
  return [name, (...args) => rest?.[name]?.(...args)];
}

function prepare(): Prepared {
  const wasi =
    Wasi === null
      ? null
      : new Wasi({
          version: 'preview1',
          args: [...args],
          env: {},
          returnOnExit: true,
          stdin: nowhere,
          stdout: nowhere,
          stderr: nowhere,
        });
  rest = (wasi?.wasiImport ?? null) as WasiImports | null;
  stdio = NO_STDIO;
  instance = undefined;
  instance = new engine.Instance(module, imports);
  const { memory, _initialize: initialize } = instance.exports;
  const start = instance.exports[entrypoint] as () => unknown;
  return {
    run: (given) => {
      stdio = given;
      let status = 0;
      const _start = (): void => {
        if (typeof initialize === 'function' && entrypoint !== '_start') (initialize as () => void)();
        const returned = start();
        if (typeof returned === 'number') status = returned;
      };
      try {
        // Node runs `_start` alone, so whatever the entry is called, it goes by that name.
        if (wasi !== null) wasi.start({ exports: { memory, _start } });
        else _start();
      } catch (thrown) {
        if (!(thrown instanceof ProgramExit)) throw thrown;
        ({ status } = thrown);
      }
      return status;
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
