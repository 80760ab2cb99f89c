import { Worker } from 'node:worker_threads';
import { FsError } from '../../core/index.js';

/** What a thread is asked to write. */
export interface WriteOrder {
  readonly fd: number;
  readonly data: Uint8Array;
  readonly at: number;
}
/** What came of it: how many bytes, or the errno. */
export type WriteOutcome = { readonly written: number } | { readonly code: string; readonly message: string };

interface Waiting {
  readonly order: WriteOrder;
  readonly settle: (outcome: WriteOutcome) => void;
}

/** So many calls at a time; more wait for their turn. */
const MAX_THREADS = 64;
/** So many threads wait for the next call, which spares it the start of one. */
const MAX_IDLE = 4;

/**
 * Writes that return only when a call has ended. Each has a thread of its own: on those of Node's pool, four of
 * them would stop every other use of files in the process.
 */
export class BlockingWrites {
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #waiting: Waiting[] = [];
  #closed = false;

  /** @throws Error with the host's `code` */
  async write(fd: number, data: Uint8Array, at: number): Promise<number> {
    if (this.#closed) throw new FsError('EBADF', 'The client was closed.');
    const outcome = await new Promise<WriteOutcome>((settle) => {
      this.#waiting.push({ order: { fd, data: Uint8Array.from(data), at }, settle });
      this.#next();
    });
    if ('written' in outcome) return outcome.written;
    throw Object.assign(new Error(outcome.message), { code: outcome.code });
  }

  /** What was begun goes on to its end; idle threads end now. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#busy.size >= MAX_THREADS) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    const worker = this.#idle.pop() ?? this.#start();
    this.#busy.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.order);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./blocking-write-worker.js', import.meta.url), {
      name: 'mount-write',
      env: {},
      execArgv: [],
    });
    worker.on('message', (outcome: WriteOutcome) => this.#done(worker, outcome));
    worker.on('error', (error: Error) =>
      this.#done(worker, { code: 'EIO', message: `A thread could not write: ${error.message}` }),
    );
    return worker;
  }

  #done(worker: Worker, outcome: WriteOutcome): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    worker.unref();
    if (this.#closed || this.#idle.length >= MAX_IDLE) void worker.terminate();
    else this.#idle.push(worker);
    waiting?.settle(outcome);
    this.#next();
  }
}
