import { FsError, type Emitter, type JsonObject, type Log } from '../../core/index.js';

/** A record of a node's audit log, on its way. */
export interface SentRecord extends JsonObject {
  readonly record_id: string;
  readonly timestamp_ms: number;
  readonly act: string;
  readonly outcome: string;
}

/** Where the records come from: it keeps them until they were taken, over restarts too. */
export interface AuditSource {
  /** There are more. */
  readonly appended: Emitter<void>;
  /** What is to be sent next, oldest first, about `maxBytes` of it; null when all was taken. */
  batch(maxBytes?: number): { readonly records: readonly SentRecord[]; taken(): void } | null;
}

/** How long records wait for company, so that a busy node costs the control plane few transactions. */
const LINGER_MS = 50;
const RETRY_MS = 1_000;

/**
 * Sends what a node recorded, batch after batch: one that was not acknowledged is sent again, and the control
 * plane knows by their ids the records that it has.
 */
export class AuditSender {
  readonly #source: AuditSource;
  readonly #send: (records: readonly SentRecord[]) => Promise<void>;
  readonly #log: Log;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #closed = false;

  constructor(source: AuditSource, send: (records: readonly SentRecord[]) => Promise<void>, log: Log) {
    this.#source = source;
    this.#send = send;
    this.#log = log;
    this.#stopListening = source.appended.on(() => this.#wakeIn(LINGER_MS));
    this.#wakeIn(LINGER_MS);
  }

  /** There may be somebody to send to now. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#sending && !this.#closed) void this.#sendAll();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stopListening();
  }

  #wakeIn(ms: number): void {
    if (this.#sending || this.#closed) return;
    this.#timer ??= setTimeout(() => this.wake(), ms);
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    let failed = false;
    try {
      for (let batch = this.#source.batch(); batch !== null && !this.#closed; batch = this.#source.batch()) {
        await this.#send(batch.records);
        batch.taken();
      }
    } catch (thrown) {
      failed = true;
      this.#log.debug('Records of the audit log wait to be sent.', { error: FsError.from(thrown).message });
    }
    this.#sending = false;
    if (failed) this.#wakeIn(RETRY_MS);
  }
}
