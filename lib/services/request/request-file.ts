import { FsError, documentFromJson, type JsonObject, type JsonValue } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  BaseFile,
  type Awaitable,
  GuardedHandle,
  fileStat,
  newIno,
  nsFromMs,
  type FileHandle,
  type Freshness,
  type OpenFlags,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import { ObjectHandle, type ObjectSink, type Taken } from './object-handle.js';
import type { ScannedObject } from './object-scanner.js';

export interface RequestFileOptions {
  /** What the file reads as: a form. */
  readonly template: JsonObject;
  /** Throws what a session sees that may not use it. */
  readonly check: (op: Op) => void;
  /** Does what the object asks and answers the reply. */
  readonly perform: (request: JsonValue, op: Op) => Awaitable<JsonObject>;
  readonly failed?: (error: FsError, session: Session) => void;
  /** The largest request; default 64 KiB. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 64 * 1024;

/** A file of its own to which JSON objects are written: the write that completes one does what it asks. */
export class RequestFile extends BaseFile implements ObjectSink {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  override readonly perOpen = true;
  readonly maxBytes: number;
  readonly #options: RequestFileOptions;
  readonly #form: Snapshot;

  constructor(options: RequestFileOptions) {
    super();
    this.#options = options;
    this.maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#form = { bytes: documentFromJson(options.template), mtimeNs: nsFromMs(Date.now()) };
  }

  form(): Snapshot {
    return this.#form;
  }

  stat(op: Op, size = this.#form.bytes.byteLength): Stat {
    this.#options.check(op);
    return fileStat(this.ino, this.#form.mtimeNs, 0o600, size);
  }

  open(_flags: OpenFlags, op: Op): FileHandle {
    this.#options.check(op);
    return new GuardedHandle(new ObjectHandle(this, op), (later) => this.#options.check(later));
  }

  async take(objects: readonly ScannedObject[], op: Op): Promise<Taken> {
    let reply: Buffer = Buffer.alloc(0);
    for (const [index, object] of objects.entries()) {
      try {
        reply = documentFromJson(
          await this.#options.perform(JSON.parse(object.bytes.toString()) as JsonValue, op),
        );
      } catch (thrown) {
        const error = FsError.from(thrown);
        this.#options.failed?.(error, op.session);
        if (index === 0) throw error;
        return { reply, failure: error };
      }
    }
    return { reply, failure: null };
  }

  rejected(_bytes: Uint8Array, error: FsError, session: Session): FsError {
    this.#options.failed?.(error, session);
    return error;
  }

  incomplete(error: FsError, session: Session): void {
    this.#options.failed?.(error, session);
  }
}
