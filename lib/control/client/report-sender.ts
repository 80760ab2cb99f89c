import { FsError, type Emitter, type Log } from '../../core/index.js';
import type { WireReloadReport } from '../../protocol/index.js';

/** What a node has to say of a reload of its manifests. */
export type SentReport = WireReloadReport;

/** Where the reports come from: it keeps those that were not taken, as long as the process runs. */
export interface ReloadReportSource {
  /** There is one more. */
  readonly appended: Emitter<void>;
  /** What is to be sent next, oldest first; null when all was taken. */
  next(): { readonly report: SentReport; taken(): void } | null;
}

const RETRY_MS = 1_000;

/**
 * Sends reports one after the other: one that was not acknowledged is sent again, and the control plane knows by its id
 * the one that it has. One that it refuses is given up.
 */
export class ReportSender {
  readonly #source: ReloadReportSource;
  readonly #send: (report: SentReport) => Promise<unknown>;
  readonly #isRefusal: (error: unknown) => boolean;
  readonly #log: Log;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;
  #isClosed = false;

  constructor(
    source: ReloadReportSource,
    send: (report: SentReport) => Promise<unknown>,
    { isRefusal, log }: { isRefusal: (error: unknown) => boolean; log: Log },
  ) {
    this.#source = source;
    this.#send = send;
    this.#isRefusal = isRefusal;
    this.#log = log;
    this.#stopListening = source.appended.on(() => this.wake());
  }

  /** There may be somebody to send to now. */
  wake(): void {
    clearTimeout(this.#timer);
    if (!this.#isSending && !this.#isClosed) void this.#sendAll();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopListening();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let next = this.#source.next(); next !== null && !this.#isClosed; next = this.#source.next()) {
      try {
        await this.#send(next.report);
      } catch (thrown) {
        this.#log.debug('A report on a reload was not taken.', { error: FsError.from(thrown).message });
        if (!this.#isRefusal(thrown)) {
          this.#timer = setTimeout(() => this.wake(), RETRY_MS);
          break;
        }
      }
      next.taken();
    }
    this.#isSending = false;
  }
}
