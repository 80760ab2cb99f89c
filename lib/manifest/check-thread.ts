import { Worker } from 'node:worker_threads';
import { FsError } from '../core/index.js';
import type { InputFault } from './input-faults.js';

/** A request to check by a schema; where that is null, to make a digest of. */
export interface CheckTask {
  /** As text, which keeps its numbers as they are. */
  readonly schema: string | null;
  readonly bytes: Uint8Array;
}

export interface CheckDone {
  readonly fault?: InputFault | null;
  readonly digest?: string;
}

const DEADLINE_MS = 1_000;
/** A digest takes as long as the request is large, and no longer. */
const DIGEST_DEADLINE_MS = 10_000;
/** Tasks that wait for one schema: callers of one service do not fill the queue of the others. */
const MAX_WAITING = 32;
/** A digest is soon made; the bytes that wait are bounded where they are held. */
const MAX_DIGESTS_WAITING = 4096;
const LIMITS = { maxOldGenerationSizeMb: 256, stackSizeMb: 4 };

interface Waiting {
  readonly task: CheckTask;
  readonly resolve: (done: CheckDone | null) => void;
}

/** Schemas take turns; those of one come in their order. */
const waiting = new Map<string, Waiting[]>();
let worker: Worker | undefined;
let isBusy = false;

/**
 * Does it on a thread of its own, one task after the other. Null where it takes longer than a second, or more
 * memory than there is for it: the thread is ended then, and another one takes the next task.
 * @throws FsError EBUSY while too many wait
 */
export async function runOnCheckThread(task: CheckTask): Promise<CheckDone | null> {
  const name = task.schema ?? '';
  const queue = waiting.get(name) ?? [];
  if (queue.length >= (task.schema === null ? MAX_DIGESTS_WAITING : MAX_WAITING))
    throw new FsError('EBUSY', 'Too many requests wait to be checked before they run.', {
      hint: 'Such a check may take a second: try again a little later, or simplify the schema.',
    });
  return new Promise((resolve) => {
    queue.push({ task, resolve });
    waiting.set(name, queue);
    void takeNext();
  });
}

async function takeNext(): Promise<void> {
  const [turn] = waiting;
  if (isBusy || turn === undefined) return;
  const [name, queue] = turn;
  const next = queue.shift();
  waiting.delete(name);
  if (queue.length > 0) waiting.set(name, queue);
  if (next !== undefined) {
    isBusy = true;
    next.resolve(await runTask(next.task));
    isBusy = false;
  }
  void takeNext();
}

function runTask(task: CheckTask): Promise<CheckDone | null> {
  const thread = (worker ??= startWorker());
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (done: CheckDone | null): void => {
      clearTimeout(timer);
      heard = null;
      thread.unref();
      if (done === null) {
        worker = undefined;
        void thread.terminate();
      }
      resolve(done);
    };
    heard = (message) => {
      // Starting the thread and parsing are no part of the time that a check has.
      if (message === 'begun') timer = setTimeout(() => end(null), deadlineOf(task));
      else end(message);
    };
    thread.ref();
    thread.postMessage(task);
  });
}

const deadlineOf = ({ schema }: CheckTask): number => (schema === null ? DIGEST_DEADLINE_MS : DEADLINE_MS);

/** What the current task does with what the thread says; null: that it has ended. */
let heard: ((message: 'begun' | CheckDone | null) => void) | null = null;

function startWorker(): Worker {
  const thread = new Worker(new URL('./check-worker.js', import.meta.url), {
    execArgv: [],
    env: {},
    resourceLimits: LIMITS,
  });
  const ended = (): void => {
    if (worker === thread) heard?.(null);
    if (worker === thread) worker = undefined;
  };
  thread.on('message', (message: 'begun' | CheckDone) => {
    if (worker === thread) heard?.(message);
  });
  thread.on('error', ended);
  thread.on('exit', ended);
  return thread;
}
