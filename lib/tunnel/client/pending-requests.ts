import { dropOldest, type FsError } from '../../core/index.js';
import type { FsMessageName, FsReply } from '../../protocol/index.js';
import {
  CANCEL_LOOKS,
  CHANGE_LOOKS,
  MOST_EXTENSION,
  READ_LOOKS,
  type RequestKind,
} from '../wire/deadlines.js';
import { cancelledError, silentError, unknownOutcomeError } from '../wire/tunnel-errors.js';

export interface FsAnswer<Name extends FsMessageName> {
  readonly payload: FsReply<Name>;
  /** Content that came with it. */
  readonly data: Uint8Array | undefined;
  /** Of which connection the numbers are that it names. */
  readonly generation: number;
}

/** What was asked, whose it is, and when: in looks of the connection's watch. */
interface Asked {
  readonly name: FsMessageName;
  readonly kind: RequestKind;
  /** It begins nothing, so that it may be asked again over another connection. */
  readonly isRepeatable: boolean;
  readonly s: string | undefined;
  readonly looks: number;
  readonly quietLooks: number;
  /** Content that was sent with it. */
  readonly bytes: number;
}

export interface Pending extends Asked {
  readonly resolve: (answer: FsAnswer<FsMessageName>) => void;
  readonly reject: (error: FsError) => void;
  cancelledLooks?: number;
}

/** So many requests that were given up are remembered, for the sake of what a late answer opens. */
const MAX_LATE = 4096;

/** The requests of a connection that have no answer yet, and those that were given up without one. */
export class PendingRequests {
  /** Content that was sent with them. */
  contentBytes = 0;
  readonly #pending = new Map<number, Pending>();
  readonly #late = new Map<number, Asked>();
  #idle = 0;
  readonly #onEnd: (tag: number) => void;

  constructor(onEnd: (tag: number) => void) {
    this.#onEnd = onEnd;
  }

  /** Whether an answer is owed to any of them. */
  get isOwed(): boolean {
    return this.#pending.size > this.#idle;
  }

  add(tag: number, asked: Asked): Promise<FsAnswer<FsMessageName>> {
    if (asked.kind === 'idle') this.#idle++;
    this.contentBytes += asked.bytes;
    return new Promise((resolve, reject) => {
      this.#pending.set(tag, { ...asked, resolve, reject });
    });
  }

  get(tag: number): Pending | undefined {
    return this.#pending.get(tag);
  }

  /** The request that an answer is for; it is no longer pending. */
  take(tag: number): Pending | undefined {
    const pending = this.#pending.get(tag);
    if (pending === undefined) return undefined;
    this.#pending.delete(tag);
    if (pending.kind === 'idle') this.#idle--;
    this.contentBytes -= pending.bytes;
    this.#onEnd(tag);
    return pending;
  }

  takeLate(tag: number): Asked | undefined {
    const late = this.#late.get(tag);
    this.#late.delete(tag);
    return late;
  }

  /** The peer was asked to cancel it. */
  cancelled(tag: number, looks: number): void {
    const pending = this.#pending.get(tag);
    if (pending === undefined) return;
    if (isHarmless(pending)) this.#giveUp(tag, cancelledError(true));
    else pending.cancelledLooks ??= looks;
  }

  /** The peer is silent: callers that only read are answered. */
  failReads(): void {
    for (const [tag, pending] of this.#pending) if (isHarmless(pending)) this.#giveUp(tag, silentError());
  }

  /** Another connection is there: who only reads is to ask over that one. */
  failRepeatable(): void {
    for (const [tag, pending] of this.#pending)
      if (pending.isRepeatable && isHarmless(pending)) this.#giveUp(tag, silentError());
  }

  /** It stayed silent. */
  failRest(): void {
    this.failReads();
    for (const tag of this.#pending.keys()) this.#giveUp(tag, unknownOutcomeError());
  }

  failAll(error: () => FsError): void {
    for (const tag of this.#pending.keys()) this.#giveUp(tag, error());
    this.#late.clear();
  }

  /** Gives up what has waited too long; answers how many of them only read. */
  expire(looks: number, quietLooks: number): number {
    let expired = 0;
    for (const [tag, pending] of this.#pending) {
      const { kind, cancelledLooks } = pending;
      if (cancelledLooks !== undefined && looks - cancelledLooks >= CANCEL_LOOKS)
        this.#giveUp(tag, cancelledError(false));
      else if (kind === 'read' && isOver(pending, READ_LOOKS, looks, quietLooks)) {
        expired++;
        this.#giveUp(tag, silentError());
      } else if (kind === 'change' && isOver(pending, CHANGE_LOOKS, looks, quietLooks))
        this.#giveUp(tag, unknownOutcomeError());
    }
    return expired;
  }

  #giveUp(tag: number, error: FsError): void {
    const pending = this.take(tag);
    if (pending === undefined) return;
    const { name, kind, isRepeatable, s, looks, quietLooks, bytes } = pending;
    this.#late.set(tag, { name, kind, isRepeatable, s, looks, quietLooks, bytes });
    dropOldest(this.#late, MAX_LATE);
    pending.reject(error);
  }
}

/** Whether the caller may be answered before the peer has answered. */
function isHarmless({ kind }: Pending): boolean {
  return kind === 'read' || kind === 'wait' || kind === 'idle' || kind === 'sign';
}

function isOver(asked: Asked, mostLooks: number, looks: number, quietLooks: number): boolean {
  return quietLooks - asked.quietLooks >= mostLooks || looks - asked.looks >= mostLooks * MOST_EXTENSION;
}
