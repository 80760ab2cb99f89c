import { FsError, documentFromJson } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  BaseFile,
  GuardedHandle,
  fileStat,
  newIno,
  nsFromMs,
  type Awaitable,
  type FileHandle,
  type Freshness,
  type OpenFlags,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import type { CallReply } from '../call.js';
import type { LiveDocuments } from '../live-documents.js';
import { ObjectHandle, type ObjectSink, type Taken } from '../request/object-handle.js';
import type { ScannedObject } from '../request/object-scanner.js';
import { requestFrom, type Request } from '../request/request.js';
import type { Service } from '../service.js';

/**
 * `control/invoke.json` and `control/submit.json`. The write that completes an object runs it; for
 * invoke it returns when the invocation has ended, for submit when it was accepted.
 */
export class InvokeFile extends BaseFile implements ObjectSink {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  override readonly perOpen = true;
  readonly #service: Service;
  readonly #live: LiveDocuments;
  readonly #waits: boolean;
  /** Rendered once, for all who open it. */
  #form: { readonly of: object; readonly snapshot: Snapshot } | undefined;

  constructor(service: Service, live: LiveDocuments, kind: 'invoke' | 'submit') {
    super();
    this.#service = service;
    this.#live = live;
    this.#waits = kind === 'invoke';
  }

  get maxBytes(): number {
    return this.#service.definition.runtime.limits.maxPayloadBytes;
  }

  form(op: Op): Snapshot {
    this.#service.gate.require(op.session, 'observe');
    const { definition, definedAtMs } = this.#service;
    if (this.#form?.of !== definition)
      this.#form = {
        of: definition,
        snapshot: {
          bytes: documentFromJson(definition.invokeTemplate),
          mtimeNs: nsFromMs(definedAtMs),
        },
      };
    return this.#form.snapshot;
  }

  stat(op: Op, size = this.form(op).bytes.byteLength): Stat {
    this.#service.gate.require(op.session, 'observe');
    const mode = this.#service.gate.allows(op.session, 'invoke') ? 0o644 : 0o444;
    return fileStat(this.ino, nsFromMs(this.#service.definedAtMs), mode, size);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    if (flags.write) this.#service.authorize(op.session, 'invoke');
    return new GuardedHandle(new ObjectHandle(this, op), (later, writes) =>
      this.#service.gate.require(later.session, writes ? 'invoke' : 'observe'),
    );
  }

  take(objects: readonly ScannedObject[], op: Op): Taken | Promise<Taken> {
    this.#live.clearIncomplete(op.session);
    const requests = this.#requests(objects, op.session);
    if (!(requests instanceof Promise)) return this.#run(requests, op);
    return requests.then((checked) => {
      // The rights may have changed while it was checked.
      this.#service.authorize(op.session, 'invoke');
      return this.#run(checked, op);
    });
  }

  #run(requests: readonly Request[], op: Op): Taken | Promise<Taken> {
    return this.#waits ? this.#invokeAll(requests, op) : this.#submitAll(requests, op);
  }

  rejected(bytes: Uint8Array, error: FsError, session: Session): FsError {
    this.#live.clearIncomplete(session);
    return this.#service.reject(bytes, error, session);
  }

  incomplete(error: FsError, session: Session): void {
    this.#live.noteIncomplete(session, `${error.code}: ${error.sentence}\n`);
  }

  #requests(objects: readonly ScannedObject[], session: Session): Awaitable<Request[]> {
    const made: Request[] = [];
    for (const [index, object] of objects.entries()) {
      const request = this.#request(object, session);
      if (!(request instanceof Promise)) made.push(request);
      else
        return request.then(async (first) => {
          made.push(first);
          for (const other of objects.slice(index + 1)) made.push(await this.#request(other, session));
          return made;
        });
    }
    return made;
  }

  #request(object: ScannedObject, session: Session): Awaitable<Request> {
    const { check } = this.#service;
    const refuse = (thrown: unknown): never => {
      throw this.#service.reject(object.bytes, FsError.from(thrown), session);
    };
    let request: Awaitable<Request>;
    try {
      request = requestFrom(object, check);
    } catch (thrown) {
      return refuse(thrown);
    }
    if (!(request instanceof Promise)) return request;
    return request.then(
      // What runs is what was checked: another definition of the service may have come.
      (made) => (check === this.#service.check ? made : this.#request(object, session)),
      refuse,
    );
  }

  #submitAll(requests: readonly Request[], op: Op): Taken {
    let reply: Buffer = Buffer.alloc(0);
    for (const [index, request] of requests.entries()) {
      try {
        const call = this.#service.submit(request, op.session, op.traceparent);
        reply = documentFromJson({ invocation_id: call.job.id });
      } catch (thrown) {
        if (index === 0) throw thrown;
        return { reply, failure: FsError.from(thrown) };
      }
    }
    return { reply, failure: null };
  }

  async #invokeAll(requests: readonly Request[], op: Op): Promise<Taken> {
    let reply: Buffer = Buffer.alloc(0);
    for (const [index, request] of requests.entries()) {
      let end: CallReply;
      try {
        end = await this.#invoke(request, op);
      } catch (thrown) {
        if (index === 0) throw thrown;
        return { reply, failure: FsError.from(thrown) };
      }
      if (end.error !== null) return { reply: end.reply, failure: end.error };
      reply = end.reply;
    }
    return { reply, failure: null };
  }

  async #invoke(request: Request, op: Op): Promise<CallReply> {
    const call = this.#service.submit(request, op.session, op.traceparent);
    const { signal } = op;
    const cancel = (): void => call.cancel(FsError.from(signal.reason));
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
    try {
      return await call.ended;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}
