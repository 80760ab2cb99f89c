import type { AuditSource } from '../control/index.js';
import { FsError, type Log } from '../core/index.js';

/** How long records wait for company: each transaction waits for the disk, on the very thread that serves calls. */
const LINGER_MS = 100;
const RETRY_MS = 1_000;
/** About 180 records: the calls that come meanwhile wait as long as these take. */
const BATCH_BYTES = 64 * 1024;
/** After a batch calls have so many times as long as it took. */
const REST = 2;

type Records = NonNullable<ReturnType<AuditSource['batch']>>['records'];

/**
 * Hands what a node of this process recorded to the control plane, in small batches with time for calls between them.
 * One that could not be taken is handed over again; the control plane knows by their ids the records that it has.
 */
export class LocalAudit {
  readonly #source: AuditSource;
  readonly #take: (records: Records) => void;
  readonly #log: Log;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: AuditSource, take: (records: Records) => void, log: Log) {
    this.#source = source;
    this.#take = take;
    this.#log = log;
    this.#stopListening = source.appended.on(() => this.#wakeIn(LINGER_MS));
    this.#wakeIn(LINGER_MS);
  }

  /** Hands over all that there is. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      while (this.#handOver());
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  close(): void {
    this.#stopListening();
    clearTimeout(this.#timer);
  }

  #wakeIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const startMs = performance.now();
      try {
        if (this.#handOver()) this.#wakeIn(REST * (performance.now() - startMs));
      } catch (thrown) {
        this.#failed(thrown);
      }
    }, ms);
  }

  /** One batch. @returns whether there was one; there may be more then. */
  #handOver(): boolean {
    const batch = this.#source.batch(BATCH_BYTES);
    if (batch === null) return false;
    this.#take(batch.records);
    batch.taken();
    return true;
  }

  #failed(thrown: unknown): void {
    this.#log.debug('Records of the audit log wait to be taken.', { error: FsError.from(thrown).message });
    this.#wakeIn(RETRY_MS);
  }
}
