import type { Transport } from '../../transport/index.js';
import {
  BULK_BYTES_PER_LOOK,
  BYTES_PER_LOOK,
  CUT_LOOKS,
  LATE_MS,
  LOOK_MS,
  MOST_UNANSWERED,
  MUTE_LOOKS,
  PROBE_LOOKS,
  SILENT_LOOKS,
} from '../wire/deadlines.js';
import type { PendingRequests } from './pending-requests.js';

/** What a watch looks after, and what it calls. */
export interface PeerWatcher {
  readonly pending: PendingRequests;
  /** Asks the peer for a sign of life. */
  probe(): void;
  /** It fell silent, or is heard again. */
  turned(isSilent: boolean): void;
  /** It was silent for so long that the connection is of no use. */
  gaveUp(): void;
}

/**
 * Looks whether a peer is heard, as long as an answer is awaited. What is heard is a frame, or a part of a
 * large one: a WebSocket's pings alone are no sign that the peer serves files. While we did not run
 * ourselves, or what we sent is still leaving, its silence does not count.
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
    if (this.#timer !== undefined || this.#ended) return;
    this.#silentLooks = 0;
    this.#heard = false;
    this.#bufferedBytes = 0;
    this.#receivedBytes = this.#transport.receivedBytes ?? 0;
    this.#arm();
  }

  /** A frame came. */
  heard(): void {
    this.#heard = true;
    if (this.#silent && this.#muteLooks === 0) this.#spoke();
  }

  /** It answered a request. */
  answered(): void {
    this.#unanswered = 0;
    if (this.#muteLooks === 0) return;
    this.#muteLooks = 0;
    this.#spoke();
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
    if (this.#heard || isBulk || leaves) this.#silentLooks = 0;
    else if (!isLate) this.#silentLooks++;
    this.#heard = false;
    if (this.#muteLooks > 0 && --this.#muteLooks === 0) this.#spoke();
    this.#judge();
    if (this.#ended || this.#timer !== undefined) return;
    if (this.#watcher.pending.size > 0 || this.#silent) this.#arm();
  }

  #judge(): void {
    const { pending } = this.#watcher;
    const onItsWay = Math.floor(pending.contentBytes / BYTES_PER_LOOK);
    if (this.#silentLooks === PROBE_LOOKS) this.#watcher.probe();
    if (this.#silentLooks >= SILENT_LOOKS + onItsWay) this.#fallSilent();
    this.#unanswered += pending.expire(this.looks, this.quietLooks);
    if (this.#unanswered >= MOST_UNANSWERED && !this.#silent) {
      this.#unanswered = 0;
      this.#muteLooks = MUTE_LOOKS;
      this.#fallSilent();
    }
    if (this.#silentLooks < CUT_LOOKS + onItsWay || this.#muteLooks > 0) return;
    pending.failRest();
    this.#watcher.gaveUp();
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
