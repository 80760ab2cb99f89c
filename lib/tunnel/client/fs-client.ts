import { FsError } from '../../core/index.js';
import {
  FS_MESSAGES,
  fsErrorFromFrame,
  MAX_DATA_BYTES,
  MAX_READ_BYTES,
  payloadOf,
  ROOT_NODE,
  type AcheronEnvelope,
  type Envelope,
  type FsMessageName,
  type FsRequest,
} from '../../protocol/index.js';
import { CLOSE_PROTOCOL_ERROR, HIGH_WATER_BYTES } from '../../transport/index.js';
import { dataOf, type FramePort } from '../wire/frame-port.js';
import type { Handshake } from '../wire/handshake.js';
import { DeferredAbortWatch } from './deferred-abort-watch.js';
import { kindOfRequest, type RequestKind } from '../wire/deadlines.js';
import { mayChange } from './may-change.js';
import { PeerWatch } from './peer-watch.js';
import { PendingRequests, type FsAnswer, type Pending } from './pending-requests.js';
import { lostError } from '../wire/tunnel-errors.js';

/** What a request is about: a node or a handle, and whose it is on a relayed connection. */
export interface RequestTarget {
  readonly node?: number;
  readonly h?: number;
  readonly s?: string;
  /** Whom the caller asks to act as. */
  readonly uid?: number;
}

/** A caller that waits for an answer. */
export interface Waiting {
  /** Aborts when the caller gives up. It may be made on first use, so it is read late or not at all. */
  readonly signal?: AbortSignal;
}

/** Content above this waits for the transport to have room. */
const BULK_BYTES = 64 * 1024;

/**
 * Asks the files of one connection. Requests go out in order and are answered in any. Each is sent at most
 * once; when the connection is lost, those that have no answer fail with EHOSTDOWN at once, whether the
 * peer has carried them out or not. Where the peer falls silent, those that only read fail at once and others
 * a little later; a request that is given up here is answered here.
 */
export class FsClient {
  readonly maxReadBytes: number;
  readonly maxWriteBytes: number;
  /** The peer answers `t_fs_seek`. */
  readonly canSeek: boolean;
  /** The peer answers `t_fs_mknod` and `t_fs_tmpfile`. */
  readonly canMakeSpecial: boolean;
  /** The peer answers `t_fs_await`. */
  readonly canAwait: boolean;
  /** The peer heeds `uid`. */
  readonly canMapUsers: boolean;
  /** The peer takes several handles in one `t_fs_close`. */
  readonly canCloseMany: boolean;
  readonly #port: FramePort;
  readonly #pending: PendingRequests;
  readonly #peer: PeerWatch;
  readonly #onEvent: (frame: AcheronEnvelope) => void;
  readonly #generation: number;
  /** Descriptors that stay with this connection. */
  #holders = 0;
  #isRetired = false;
  readonly #watch = new DeferredAbortWatch((tag, s) => this.#cancel(tag, s));
  #nextTag = 2;
  /** Requests with content that wait for room. */
  #queued = 0;
  #lastTurn = Promise.resolve();
  /** Whose request was the last. */
  #lastSession: string | undefined;
  /** The last request that asked for a sign. */
  #signTag: number | undefined;

  constructor(
    handshake: Handshake,
    listeners: {
      onEvent: (frame: AcheronEnvelope) => void;
      onClose: () => void;
      /** The peer fell silent, or answers again. */
      onSilence?: (isSilent: boolean) => void;
    },
    { lookMs, generation = 0 }: { readonly lookMs?: number | undefined; readonly generation?: number } = {},
  ) {
    this.#generation = generation;
    this.#port = handshake.port;
    this.#onEvent = listeners.onEvent;
    const capabilities = (handshake.hello.capabilities ?? {}) as { [name: string]: unknown };
    const limit = (name: string, most: number): number => {
      const theirs = capabilities[name];
      return typeof theirs === 'number' && theirs > 0 ? Math.min(theirs, most) : most;
    };
    this.maxReadBytes = limit('max_read_bytes', MAX_READ_BYTES);
    this.maxWriteBytes = limit('max_write_bytes', MAX_DATA_BYTES);
    this.canSeek = capabilities['seek'] === true;
    this.canMakeSpecial = capabilities['special'] === true;
    this.canAwait = capabilities['await'] === true;
    this.canMapUsers = capabilities['uid'] === true;
    this.canCloseMany = capabilities['closes'] === true;
    const { transport } = this.#port;
    this.#pending = new PendingRequests((tag) => this.#watch.delete(tag));
    this.#peer = new PeerWatch(
      transport,
      {
        pending: this.#pending,
        askForSign: () => this.#askForSign(),
        turned: (isSilent) => listeners.onSilence?.(isSilent),
        gaveUp: () => transport.destroy(),
      },
      lookMs,
    );
    transport.onClose(() => {
      this.#peer.end();
      this.#pending.failAll(lostError);
      this.#watch.end();
      listeners.onClose();
    });
  }

  /** Takes what comes from now on, and what has come already: changes may be reported before this returns. */
  listen(): void {
    const { transport } = this.#port;
    this.#port.receive({
      frame: (frame, data) => this.#frame(frame, data),
      fault: (fault) => {
        transport.close(CLOSE_PROTOCOL_ERROR, fault.message);
        transport.destroy();
      },
    });
    transport.resume();
  }

  get open(): boolean {
    return this.#port.transport.open;
  }

  /** Nothing is heard of the peer, or it answers nothing. */
  get silent(): boolean {
    return this.#peer.silent;
  }

  /**
   * Sends one request and answers with its reply. When `waiting.signal` aborts, the peer is asked to
   * cancel; what only reads fails at once then, anything else is answered by the peer, or after a while.
   * `mayWait`: it is asked through a descriptor that stays with this connection, so that it is not to be asked over another one, and
   * the peer may take as long as a driver, though it only reads. `onSpent`: `data` is lent, as `Transport.send` says.
   * @throws FsError what the peer answered; EHOSTDOWN when the connection is or gets lost, or the peer does
   *   not answer; EPROTO when the answer cannot be understood.
   */
  request<Name extends FsMessageName>(
    name: Name,
    target: RequestTarget,
    payload: FsRequest<Name>,
    waiting?: Waiting,
    data?: Uint8Array,
    mayWait = false,
    onSpent?: () => void,
  ): Promise<FsAnswer<Name>> {
    if (data !== undefined && (this.#queued > 0 || (data.byteLength > BULK_BYTES && !this.#hasRoom)))
      return this.#inTurn(() => this.#ask(name, target, payload, waiting, data, mayWait, onSpent));
    return this.#ask(name, target, payload, waiting, data, mayWait, onSpent);
  }

  #ask<Name extends FsMessageName>(
    name: Name,
    target: RequestTarget,
    payload: FsRequest<Name>,
    waiting: Waiting | undefined,
    data: Uint8Array | undefined,
    mayWait: boolean,
    onSpent: (() => void) | undefined,
  ): Promise<FsAnswer<Name>> {
    const kind = mayWait && name === 'read' ? 'wait' : kindOfRequest(name);
    if (waiting !== undefined && kind !== 'read' && kind !== 'wait' && waiting.signal?.aborted === true)
      return Promise.reject(FsError.from(waiting.signal.reason));
    if (!this.open) return Promise.reject(lostError());
    const tag = this.#nextTag++;
    const { looks, quietLooks } = this.#peer;
    const answer = this.#pending.add(tag, {
      name,
      kind,
      isRepeatable: !mayWait && !mayChange(name, payload),
      s: target.s,
      looks,
      quietLooks,
      bytes: data?.byteLength ?? 0,
    });
    if (kind !== 'idle') this.#peer.begin();
    this.#lastSession = target.s;
    const type = `acheron.t_fs_${name}`;
    this.#port.send({ channel: 'acheron', type, tag, ...target, payload: payload }, data, onSpent);
    if (waiting !== undefined) this.#watch.add(tag, waiting, target.s);
    return answer;
  }

  /** Sends what is not answered. */
  notify(type: string, payload: Record<string, unknown>): void {
    this.#port.send({ channel: 'acheron', type, payload });
  }

  close(): void {
    this.#port.transport.close();
  }

  /** A descriptor needs this very connection, until it says `leave`. */
  enter(): void {
    this.#holders++;
  }

  leave(): void {
    this.#holders--;
    this.#closeIfDone();
  }

  /**
   * Another connection is in its place: it ends once all is answered and nothing needs it, and after a while in any case.
   * Nobody who only reads waits for a peer that is silent.
   */
  retire(isSilent: boolean): void {
    this.#isRetired = true;
    if (this.silent || isSilent) this.#pending.failRepeatable();
    const bound = setTimeout(() => this.#port.transport.destroy(), RETIRED_MS).unref();
    this.#port.transport.onClose(() => clearTimeout(bound));
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#isRetired && this.#holders === 0 && !this.#pending.isOwed) this.close();
  }

  get #hasRoom(): boolean {
    const { transport } = this.#port;
    return !transport.open || transport.bufferedBytes <= HIGH_WATER_BYTES;
  }

  /** Content leaves in the order in which it was given, though some of it had to wait for room. */
  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    this.#queued++;
    const turn = this.#lastTurn.then(() => this.#whenRoom());
    this.#lastTurn = turn;
    return turn.then(() => {
      this.#queued--;
      return ask();
    });
  }

  async #whenRoom(): Promise<void> {
    while (!this.#hasRoom) await this.#port.transport.drained();
  }

  #cancel(oldtag: number, s: string | undefined): void {
    const pending = this.#pending.get(oldtag);
    if (pending === undefined || !this.open) return;
    this.request('cancel', s === undefined ? {} : { s }, { oldtag }).catch(() => {
      // The request that was to be cancelled fails by itself.
    });
    this.#pending.cancelled(oldtag, this.#peer.looks);
  }

  /** Of its root, a peer that serves files says something at once, be it that this session may not ask. */
  #askForSign(): void {
    if (this.#signTag !== undefined) this.#pending.cancelled(this.#signTag, this.#peer.looks);
    const tag = (this.#signTag = this.#nextTag++);
    const { looks, quietLooks } = this.#peer;
    const s = this.#lastSession;
    this.#pending
      .add(tag, { name: 'getattr', kind: 'sign', isRepeatable: true, s, looks, quietLooks, bytes: 0 })
      .catch(() => {
        // `PeerWatch` notices that none came.
      });
    const whose = s === undefined ? {} : { s };
    this.#port.send({
      channel: 'acheron',
      type: 'acheron.t_fs_getattr',
      tag,
      node: ROOT_NODE,
      ...whose,
      payload: {},
    });
  }

  #answered({ kind }: { readonly kind: RequestKind }): void {
    if (kind === 'sign') this.#peer.gaveSign();
    else this.#peer.answered();
  }

  #frame(frame: Envelope, data: Uint8Array | undefined): void {
    this.#peer.heard();
    if (frame.channel !== 'acheron') return;
    const { tag } = frame;
    if (frame.type.startsWith('acheron.e_')) {
      this.#onEvent(frame);
      return;
    }
    if (tag === undefined) return;
    const pending = this.#pending.take(tag);
    if (pending === undefined) {
      this.#late(tag, frame);
      return;
    }
    this.#answered(pending);
    // What its caller asks for next is to be under way before.
    if (this.#isRetired) setImmediate(() => this.#closeIfDone());
    if (frame.type === 'acheron.err_fs' || frame.type === 'acheron.error') {
      pending.reject(fsErrorFromFrame(frame));
      return;
    }
    try {
      pending.resolve(answerFromFrame(pending.name, frame, data, this.#generation));
    } catch (thrown) {
      pending.reject(
        new FsError('EPROTO', `The peer's answer to t_fs_${pending.name} cannot be understood.`, {
          cause: thrown,
        }),
      );
    }
  }

  /** An answer that nobody waits for any longer: what it opened is closed. */
  #late(tag: number, frame: AcheronEnvelope): void {
    const late = this.#pending.takeLate(tag);
    if (late === undefined) return;
    this.#answered(late);
    if (frame.type !== `acheron.r_fs_${late.name}` || !OPENING.has(late.name)) return;
    const { handle, closed } = frame.payload ?? {};
    if (typeof handle !== 'number' || closed === true) return;
    const target = late.s === undefined ? { h: handle } : { h: handle, s: late.s };
    this.request('close', target, {}).catch(() => undefined);
  }
}

/** A connection in whose place another came may live so long. */
const RETIRED_MS = 60_000;

const OPENING: ReadonlySet<string> = new Set<FsMessageName>(['open', 'create', 'tmpfile']);

function answerFromFrame(
  name: Pending['name'],
  frame: AcheronEnvelope,
  data: Uint8Array | undefined,
  generation: number,
): FsAnswer<FsMessageName> {
  if (frame.type !== `acheron.r_fs_${name}`) throw new TypeError(`got ${frame.type}`);
  return {
    payload: payloadOf(frame, FS_MESSAGES[name].reply),
    data: dataOf(frame, data),
    generation,
  };
}
