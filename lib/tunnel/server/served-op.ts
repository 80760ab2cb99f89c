import { FsError } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import type { Op } from '../../vfs/index.js';

/** The `Op` of one request that came over a transport; its signal is made when somebody looks at it. */
export class ServedOp implements Op {
  readonly session: Session;
  /** It begins nothing: without its caller it need not go on. */
  readonly onlyReads: boolean;
  /** When it came, as the session's `NumberedNodes` count. */
  readonly moment: number;
  readonly remoteUid: number | undefined;
  /** The session's side of the connection, which learns from the answer what it changed. */
  readonly origin: object | undefined;
  /** The handler of a request that makes something sets it first. */
  masked: number | undefined;
  /** The handler of a write sets it first. */
  traceparent: string | undefined;
  #controller: AbortController | undefined;
  #reason: FsError | undefined;

  constructor(session: Session, onlyReads = false, moment = 0, remoteUid?: number, origin?: object) {
    this.session = session;
    this.onlyReads = onlyReads;
    this.moment = moment;
    this.remoteUid = remoteUid;
    this.origin = origin;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  cancel(): void {
    this.#reason ??= new FsError('ECANCELED', 'The caller gave up.');
    this.#controller?.abort(this.#reason);
  }
}
