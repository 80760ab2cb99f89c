import type { Transport } from '../../transport/index.js';
import {
  BULK_BYTES_PER_LOOK,
  BYTES_PER_LOOK,
  CUT_LOOKS,
  LATE_MS,
  LOOK_MS,
  MOST_EXTENSION,
  MOST_UNANSWERED,
  MUTE_LOOKS,
  PROBE_LOOKS,
  SILENT_LOOKS,
} from '../wire/deadlines.js';
import type { PendingRequests } from './pending-requests.js';

/** What a watch looks after, and what it calls. */
export interface PeerWatcher {
  readonly pending: PendingRequests;
  /** Asks the peer for what each that serves files answers at once, however slow the disk below. */
  askForSign(): void;
  /** It fell silent, or answers again. */
  turned(isSilent: boolean): void;
  /** It was silent for so long that the connection is of no use. */
  gaveUp(): void;
}

/**
 * Looks whether a peer answers, as long as an answer is awaited. One that gives none is asked for a sign, and is silent
 * where none comes, whatever else is heard of it: pings and pushes say that it is there, and not that it serves
 * files. It stays silent until it answers, for which it is asked from time to time. While we did not run ourselves,
 * or what we sent is still leaving, its silence does not count. The connection is given up where nothing is heard
 * at all: neither a frame nor a part of a large one.
 */
export class PeerWatch {
  readonly #transport: Transport;
  readonly #watcher: PeerWatcher;
  readonly #lookMs: number;
  looks = 0;
  quietLooks = 0;
  #heard = false;
  #silentLooks = 0;
  #muteLooks = 0;
  #silent = false;
  #receivedBytes = 0;
  #bufferedBytes = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #unanswered = 0;
  /** Looks since the last answer, and how many of them count. */
  #owedLooks = 0;
  #owedQuietLooks = 0;
  /** It is asked for a sign once it has owed an answer for so long. */
  #asksAt = PROBE_LOOKS;

  constructor(transport: Transport, watcher: PeerWatcher, lookMs = LOOK_MS) {
    this.#transport = transport;
    this.#watcher = watcher;
    this.#lookMs = lookMs;
  }

  get silent(): boolean {
    return this.#silent;
  }

  /** An answer is awaited from now on. */
  begin(): void {
    if (this.#timer !== undefined || this.#ended || this.#silent) return;
    this.#silentLooks = 0;
    this.#heard = false;
    this.#nothingOwed();
    this.#bufferedBytes = 0;
    this.#receivedBytes = this.#transport.receivedBytes ?? 0;
    this.#arm();
  }

  /** A frame came. */
  heard(): void {
    this.#heard = true;
  }

  /** It answered a request. */
  answered(): void {
    this.#unanswered = 0;
    this.#muteLooks = 0;
    this.gaveSign();
  }

  /** It answered what it was asked for a sign. */
  gaveSign(): void {
    this.#nothingOwed();
    if (this.#muteLooks === 0) this.#spoke();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#dueMs = performance.now() + this.#lookMs;
    this.#timer = setTimeout(() => this.#look(), this.#lookMs);
  }

  #look(): void {
    this.#timer = undefined;
    const isLate = performance.now() > this.#dueMs + LATE_MS;
    const received = this.#transport.receivedBytes ?? 0;
    const isBulk = received - this.#receivedBytes >= BULK_BYTES_PER_LOOK;
    const leaves = this.#transport.bufferedBytes < this.#bufferedBytes;
    this.#receivedBytes = received;
    this.#bufferedBytes = this.#transport.bufferedBytes;
    this.looks++;
    if (!isBulk && !isLate) this.quietLooks++;
    if (!isLate) this.#owedLooks++;
    if (!isLate && !isBulk && !leaves) this.#owedQuietLooks++;
    if (this.#heard || isBulk || leaves) this.#silentLooks = 0;
    else if (!isLate) this.#silentLooks++;
    this.#heard = false;
    if (this.#muteLooks > 0) this.#muteLooks--;
    this.#judge();
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- judging may have ended or armed it
    if (this.#ended || this.#timer !== undefined) return;
    if (this.#watcher.pending.isOwed || this.#silent) this.#arm();
  }

  #judge(): void {
    const { pending } = this.#watcher;
    const onItsWay = Math.floor(pending.contentBytes / BYTES_PER_LOOK);
    const owed = Math.max(this.#owedQuietLooks, Math.floor(this.#owedLooks / MOST_EXTENSION));
    if (owed >= this.#asksAt) {
      this.#asksAt += SILENT_LOOKS;
      this.#watcher.askForSign();
    }
    this.#unanswered += pending.expire(this.looks, this.quietLooks);
    if (this.#unanswered >= MOST_UNANSWERED && !this.#silent) {
      this.#unanswered = 0;
      this.#muteLooks = MUTE_LOOKS;
    }
    if (owed >= SILENT_LOOKS + onItsWay || this.#muteLooks > 0) this.#fallSilent();
    else this.#spoke();
    if (owed >= CUT_LOOKS + onItsWay) pending.failRest();
    if (this.#silentLooks >= CUT_LOOKS + onItsWay && this.#muteLooks === 0) this.#watcher.gaveUp();
  }

  #nothingOwed(): void {
    this.#owedLooks = 0;
    this.#owedQuietLooks = 0;
    this.#asksAt = PROBE_LOOKS;
  }

  #fallSilent(): void {
    if (this.#silent) return;
    this.#silent = true;
    this.#watcher.pending.failReads();
    this.#watcher.turned(true);
  }

  #spoke(): void {
    if (!this.#silent) return;
    this.#silent = false;
    this.#watcher.turned(false);
  }
}
