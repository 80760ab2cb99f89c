import { FsError } from '../core/index.js';
import {
  FS_MESSAGES,
  fsErrorFromFrame,
  MAX_DATA_BYTES,
  MAX_READ_BYTES,
  payloadOf,
  type AcheronEnvelope,
  type Envelope,
  type FsMessageName,
  type FsReply,
  type FsRequest,
} from '../protocol/index.js';
import { CLOSE_PROTOCOL_ERROR, HIGH_WATER_BYTES } from '../transport/index.js';
import { dataOf, type FramePort } from './frame-port.js';
import type { Greeting } from './greeting.js';
import { LateWatch } from './late-watch.js';

export interface FsAnswer<Name extends FsMessageName> {
  readonly payload: FsReply<Name>;
  /** Content that came with it. */
  readonly data: Uint8Array | undefined;
}

/** What a request is about: a node or a handle, and whose it is on a relayed connection. */
export interface RequestTarget {
  readonly node?: number;
  readonly h?: number;
  readonly s?: string;
}

/** Who waits for an answer. */
export interface Waiting {
  /** Aborts when the caller gives up. It may be made on first use, so it is read late or not at all. */
  readonly signal?: AbortSignal;
}

interface Pending {
  readonly name: FsMessageName;
  readonly resolve: (answer: FsAnswer<FsMessageName>) => void;
  readonly reject: (error: FsError) => void;
}

/** Content above this waits for the transport to have room. */
const BULK_BYTES = 64 * 1024;

/** Requests that begin nothing: one whose caller has given up already does no harm. */
const HARMLESS = new Set<FsMessageName>([
  'lookup',
  'getattr',
  'readdirp',
  'open',
  'read',
  'readlink',
  'access',
  'statfs',
  'flush',
  'fsync',
  'seek',
  'getxattr',
  'listxattr',
]);

/**
 * Asks the files of one connection. Requests go out in order and are answered in any. Each is sent at most
 * once; when the connection is lost, those that have no answer fail with EHOSTDOWN at once, whether the
 * peer has carried them out or not.
 */
export class FsClient {
  readonly maxReadBytes: number;
  readonly maxWriteBytes: number;
  /** The peer answers `t_fs_seek`. */
  readonly canSeek: boolean;
  readonly #port: FramePort;
  readonly #pending = new Map<number, Pending>();
  readonly #onEvent: (frame: AcheronEnvelope) => void;
  readonly #watch = new LateWatch((tag, s) => this.#cancel(tag, s));
  #nextTag = 2;

  constructor(
    greeting: Greeting,
    listeners: { onEvent: (frame: AcheronEnvelope) => void; onClose: () => void },
  ) {
    this.#port = greeting.port;
    this.#onEvent = listeners.onEvent;
    const capabilities = (greeting.hello.capabilities ?? {}) as { [name: string]: unknown };
    const limit = (name: string, most: number): number => {
      const theirs = capabilities[name];
      return typeof theirs === 'number' && theirs > 0 ? Math.min(theirs, most) : most;
    };
    this.maxReadBytes = limit('max_read_bytes', MAX_READ_BYTES);
    this.maxWriteBytes = limit('max_write_bytes', MAX_DATA_BYTES);
    this.canSeek = capabilities['seek'] === true;
    const { transport } = this.#port;
    transport.onClose(() => {
      const lost = lostError();
      for (const pending of this.#pending.values()) pending.reject(lost);
      this.#pending.clear();
      this.#watch.end();
      listeners.onClose();
    });
  }

  /** Takes what comes from now on, and what has come already: it may be told of changes before this returns. */
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

  /**
   * Sends one request and answers with its reply. When `waiting.signal` aborts, the peer is asked to
   * cancel; the request is then still answered by the peer.
   * @throws FsError what the peer answered; EHOSTDOWN when the connection is or gets lost; EPROTO when the
   *   answer cannot be understood.
   */
  request<Name extends FsMessageName>(
    name: Name,
    target: RequestTarget,
    payload: FsRequest<Name>,
    waiting?: Waiting,
    data?: Uint8Array,
  ): Promise<FsAnswer<Name>> {
    if (data !== undefined && data.byteLength > BULK_BYTES && !this.#hasRoom)
      return this.#whenRoom().then(() => this.request(name, target, payload, waiting, data));
    const isHarmless = HARMLESS.has(name);
    if (waiting !== undefined && !isHarmless && waiting.signal?.aborted === true)
      return Promise.reject(FsError.from(waiting.signal.reason));
    if (!this.open) return Promise.reject(lostError());
    const tag = this.#nextTag++;
    const answer = new Promise<FsAnswer<FsMessageName>>((resolve, reject) => {
      this.#pending.set(tag, { name, resolve, reject });
    });
    const type = `acheron.t_fs_${name}`;
    this.#port.send({ channel: 'acheron', type, tag, ...target, payload: payload }, data);
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

  get #hasRoom(): boolean {
    const { transport } = this.#port;
    return !transport.open || transport.bufferedBytes <= HIGH_WATER_BYTES;
  }

  async #whenRoom(): Promise<void> {
    while (!this.#hasRoom) await this.#port.transport.drained();
  }

  #cancel(oldtag: number, s: string | undefined): void {
    if (!this.#pending.has(oldtag) || !this.open) return;
    this.request('cancel', s === undefined ? {} : { s }, { oldtag }).catch(() => {
      // The connection went: the request that was to be cancelled fails by itself.
    });
  }

  #frame(frame: Envelope, data: Uint8Array | undefined): void {
    if (frame.channel !== 'acheron') return;
    const { tag } = frame;
    if (frame.type.startsWith('acheron.e_')) {
      this.#onEvent(frame);
      return;
    }
    const pending = tag === undefined ? undefined : this.#pending.get(tag);
    if (tag === undefined || pending === undefined) return;
    this.#pending.delete(tag);
    this.#watch.delete(tag);
    if (frame.type === 'acheron.err_fs' || frame.type === 'acheron.error') {
      pending.reject(fsErrorFromFrame(frame));
      return;
    }
    try {
      pending.resolve(answerFromFrame(pending.name, frame, data));
    } catch (thrown) {
      pending.reject(
        new FsError('EPROTO', `The peer's answer to t_fs_${pending.name} cannot be understood.`, {
          cause: thrown,
        }),
      );
    }
  }
}

function answerFromFrame(
  name: FsMessageName,
  frame: AcheronEnvelope,
  data: Uint8Array | undefined,
): FsAnswer<FsMessageName> {
  if (frame.type !== `acheron.r_fs_${name}`) throw new TypeError(`got ${frame.type}`);
  return {
    payload: payloadOf(frame, FS_MESSAGES[name].reply),
    data: dataOf(frame, data),
  };
}

export function lostError(): FsError {
  return new FsError('EHOSTDOWN', 'The far side is not connected.', {
    hint: 'It is tried again by itself. What had begun there goes on; its outcome is found under jobs/.',
  });
}
