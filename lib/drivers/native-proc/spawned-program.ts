import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { loadLibc, type Libc } from './libc.js';
import { loadPosixSpawn, type SpawnRequest } from './posix-spawn.js';
import { STARTER_FAILED } from './starter-image.js';

/** Waited for, by pid. Nobody else may take the exit of one of them: its number could be another's by then. */
const awaited = new Map<number, SpawnedProgram>();
/** Keeps the event loop alive while any of them runs, as a child of Node's own does. */
let alive: NodeJS.Timeout | undefined;
let isListening = false;
const LONGEST_MS = 0x7fff_ffff;

/** Why a program that exited as starters do that fail was never started; null where it was. */
type FailureOf = (pid: number) => NodeJS.ErrnoException | null;

/**
 * A program that was started without a copy of this process, which would stop the main thread for the longer, the
 * more memory it has. Emits `exit` as a ChildProcess does, once, never before the next turn of the event loop; before
 * it `error` where its starter could not become it.
 */
export class SpawnedProgram extends EventEmitter {
  readonly pid: number;
  readonly #failureOf: FailureOf | null;

  private constructor(pid: number, failureOf: FailureOf | null) {
    super();
    this.pid = pid;
    this.#failureOf = failureOf;
  }

  /** Null where this is no way to start it, or it could not be: Node's own `spawn` does it then, or says why not. */
  static start(request: SpawnRequest, failureOf: FailureOf | null = null): SpawnedProgram | null {
    // Only the main thread hears of signals.
    const libc = isMainThread ? loadLibc() : null;
    const spawn = libc === null ? null : loadPosixSpawn();
    if (libc === null || spawn === null) return null;
    listen(libc);
    const pid = spawn(request);
    if (pid === null) return null;
    const program = new SpawnedProgram(pid, failureOf);
    awaited.set(pid, program);
    alive ??= setInterval(() => undefined, LONGEST_MS);
    return program;
  }

  static isAwaited(pid: number): boolean {
    return awaited.has(pid);
  }

  ended(exit: Exit): void {
    const [code] = exit;
    const failure = code === STARTER_FAILED ? (this.#failureOf?.(this.pid) ?? null) : null;
    if (failure !== null) this.emit('error', failure);
    this.emit('exit', ...(failure === null ? exit : UNKNOWN));
  }
}

/** One SIGCHLD may stand for several ends; Node, which listens as well, asks only for the children that it started. */
function listen(libc: Libc): void {
  if (isListening) return;
  process.on('SIGCHLD', () => takeExits(libc));
  isListening = true;
}

function takeExits(libc: Libc): void {
  for (const [pid, program] of awaited) {
    const status = libc.exitOf(pid);
    if (status === 'running') continue;
    awaited.delete(pid);
    if (awaited.size === 0) {
      clearInterval(alive);
      alive = undefined;
    }
    program.ended(status === 'gone' ? UNKNOWN : exitFromStatus(status));
  }
}

type Exit = readonly [code: number | null, signal: NodeJS.Signals | null];

const UNKNOWN: Exit = [null, null];

/** See wait(2): the signal in the low seven bits, else the exit code above them. */
function exitFromStatus(status: number): Exit {
  const signal = status & 0x7f;
  return signal === 0 ? [(status >> 8) & 0xff, null] : [null, SIGNALS.get(signal) ?? null];
}

/** By number, the first name where there are two: SIGABRT, not SIGIOT. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .map(([name, number]): [number, NodeJS.Signals] => [number, name as NodeJS.Signals])
    .reverse(),
);
