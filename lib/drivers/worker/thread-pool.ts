import { FsError, type Clock } from '../../core/index.js';
import type { Cancel } from '../cancel.js';
import type { DriverThread } from './messages.js';

/** A thread that has loaded its driver, and what the driver's file looked like then. */
export interface Slot {
  readonly worker: DriverThread;
  readonly seen: string;
}

interface Waiting {
  readonly sinceMs: number;
  readonly take: (slot: Slot) => void;
  readonly refuse: (error: FsError) => void;
}

/** What a pool asks of the driver that it is of. */
export interface Threads {
  /** What the driver's file looks like now. */
  seen(): string;
  /** @throws FsError where no thread can be had */
  load(seen: string): Promise<Slot>;
  end(slot: Slot): void;
}

/**
 * A call waits so long for one of the threads that there are before another is loaded: that takes 40 ms of a processor, and
 * most calls far less.
 */
const WORTH_WAITING_MS = 5;
/** So many idle threads are kept for good; those beyond, until they were not needed for a while. */
const KEPT_IDLE = 4;
const NOT_NEEDED_MS = 5_000;

/** The threads of one driver, each for one call at a time. */
export class ThreadPool {
  readonly #threads: Threads;
  readonly #clock: Clock;
  /** The last one that served a call comes first. */
  readonly #idle: Slot[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #busy = new Set<Slot>();
  #loading = 0;
  #leastIdle = 0;
  #callOffGrowing: (() => void) | undefined;
  #callOffTrimming: (() => void) | undefined;
  #isClosed = false;

  constructor(threads: Threads, clock: Clock) {
    this.#threads = threads;
    this.#clock = clock;
  }

  /**
   * A thread that loaded the file as it is now.
   * @throws FsError what loading throws. Resolves with null where `stop` aborts first.
   */
  acquire(stop: Cancel): Slot | Promise<Slot | null> {
    const idle = this.#takeIdle();
    if (idle !== null) return idle;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        stop.removeEventListener('abort', onStop);
      };
      const waiting: Waiting = {
        sinceMs: this.#clock.now(),
        take: (slot) => {
          leave();
          this.#busy.add(slot);
          resolve(slot);
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const onStop = (): void => {
        leave();
        resolve(null);
      };
      stop.addEventListener('abort', onStop);
      this.#waiting.add(waiting);
      this.#grow();
    });
  }

  /** Loads a thread for whoever comes first. Those who wait hear of it where it cannot be loaded. */
  async load(): Promise<void> {
    this.#loading++;
    try {
      const slot = await this.#threads.load(this.#threads.seen());
      this.#loading--;
      this.release(slot);
    } catch (thrown) {
      this.#loading--;
      const error = FsError.from(thrown);
      for (const waiting of [...this.#waiting]) waiting.refuse(error);
    }
  }

  /** The call of a thread has ended, or it was loaded. */
  release(slot: Slot): void {
    this.#busy.delete(slot);
    if (this.#isClosed) return this.#threads.end(slot);
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#idle.push(slot);
      if (this.#idle.length > KEPT_IDLE) this.#trimLater();
    } else if (slot.seen === this.#threads.seen()) next.take(slot);
    else {
      this.#threads.end(slot);
      this.#grow();
    }
  }

  /** It serves no further call. */
  drop(slot: Slot): void {
    this.#busy.delete(slot);
    this.#threads.end(slot);
    this.#grow();
  }

  /** An idle one has ended by itself. */
  gone(slot: Slot): void {
    const at = this.#idle.indexOf(slot);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  dropIdle(): void {
    for (const slot of this.#idle.splice(0)) this.#threads.end(slot);
  }

  close(): void {
    this.#isClosed = true;
    this.#callOffGrowing?.();
    this.#callOffTrimming?.();
    this.dropIdle();
  }

  #takeIdle(): Slot | null {
    if (this.#idle.length === 0) return null;
    const seen = this.#threads.seen();
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      this.#leastIdle = Math.min(this.#leastIdle, this.#idle.length);
      if (slot.seen === seen) {
        this.#busy.add(slot);
        return slot;
      }
      this.#threads.end(slot);
    }
    return null;
  }

  /** Loads a thread for each call that has waited long enough; at once where none is there that could serve it. */
  #grow(): void {
    if (this.#isClosed || this.#waiting.size === 0) return;
    if (this.#busy.size + this.#loading === 0) void this.load();
    this.#callOffGrowing ??= this.#clock.after(WORTH_WAITING_MS, () => {
      this.#callOffGrowing = undefined;
      const endMs = this.#clock.now() - WORTH_WAITING_MS;
      const long = [...this.#waiting].filter(({ sinceMs }) => sinceMs <= endMs).length;
      for (let missing = long - this.#loading; missing > 0; missing--) void this.load();
      this.#grow();
    });
  }

  #trimLater(): void {
    if (this.#callOffTrimming !== undefined) return;
    this.#leastIdle = this.#idle.length;
    this.#callOffTrimming = this.#clock.after(NOT_NEEDED_MS, () => {
      this.#callOffTrimming = undefined;
      const spare = Math.min(this.#leastIdle, this.#idle.length - KEPT_IDLE);
      if (spare > 0) for (const slot of this.#idle.splice(0, spare)) this.#threads.end(slot);
      if (this.#idle.length > KEPT_IDLE) this.#trimLater();
    });
  }
}
