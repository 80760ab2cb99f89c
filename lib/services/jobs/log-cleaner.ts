import { FsError, type Log } from '../../core/index.js';
import type { DiskReserve, SegmentLog } from '../../disk/index.js';
import { compact } from './compact.js';
import type { Job } from './job.js';

/** So many segments are cleared in one go: each holds everything else up. */
const MOST_STEPS = 4;

/**
 * Gives back the space of what is dead in a log of jobs. Nothing is lost where that fails: what could not be moved
 * stays where it is, and the next try goes on with it.
 */
export class LogCleaner {
  readonly #segments: SegmentLog;
  readonly #jobs: ReadonlyMap<string, Job>;
  readonly #reserve: DiskReserve;
  readonly #log: Log;

  constructor(segments: SegmentLog, jobs: ReadonlyMap<string, Job>, reserve: DiskReserve, log: Log) {
    this.#segments = segments;
    this.#jobs = jobs;
    this.#reserve = reserve;
    this.#log = log;
  }

  /** Frees the front of the log when too much of it is dead. */
  tidy(): void {
    this.#try(() => {
      const segment = this.#segments.worthEvacuating();
      if (segment !== null) compact(this.#segments, this.#jobs.values(), segment);
      this.#segments.sweep();
    });
  }

  /** On a full disk: frees the front of the log as far as that gives any space. Answers whether it did. */
  makeRoom(): boolean {
    let freed = false;
    this.#try(() => {
      for (let step = 0; step < MOST_STEPS; step++) {
        const segment = this.#segments.worthEvacuating(true);
        if (segment === null || segment.live > this.#reserve.roomBytes() / 2) return;
        this.#reserve.use(() => this.#segments.leave(segment));
        this.#reserve.use(() => compact(this.#segments, this.#jobs.values(), segment));
        this.#reserve.use(() => this.#segments.sweep());
        freed = true;
      }
    });
    return freed;
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#log.warn('Old jobs could not be cleared away.', { error: FsError.from(thrown).message });
    }
  }
}
