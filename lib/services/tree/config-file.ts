import type { FsError } from '../../core/index.js';
import { documentFromJson } from '../../core/index.js';
import {
  BaseFile,
  GuardedHandle,
  StableSnapshot,
  checkAccess,
  fileStat,
  newIno,
  type FileHandle,
  type Freshness,
  type OpenFlags,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import { ObjectHandle, type ObjectSink, type Taken } from '../request/object-handle.js';
import type { ScannedObject } from '../request/object-scanner.js';
import type { Service } from '../service.js';

/** `config.json`: reads as the config, and the object written to it replaces the config. */
export class ConfigFile extends BaseFile implements ObjectSink {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  override readonly perOpen = true;
  readonly maxBytes = 1024 * 1024;
  readonly #service: Service;
  readonly #text = new StableSnapshot();

  constructor(service: Service) {
    super();
    this.#service = service;
  }

  form(): Snapshot {
    return this.#text.snapshot(documentFromJson(this.#service.config), this.#service.configChangedAtMs);
  }

  /** Values of a config may be secrets: sessions that may not control the service see no content. */
  stat(op: Op, size?: number): Stat {
    this.#service.gate.require(op.session, 'observe');
    const { bytes, mtimeNs } = this.form();
    const mayControl = this.#service.gate.allows(op.session, 'control');
    return fileStat(this.ino, mtimeNs, mayControl ? 0o600 : 0, mayControl ? (size ?? bytes.byteLength) : 0);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    this.#service.authorize(op.session, 'control');
    checkAccess(this.stat(op), flags.write ? 2 : 4);
    return new GuardedHandle(new ObjectHandle(this, op), (later) =>
      this.#service.gate.require(later.session, 'control'),
    );
  }

  take(objects: readonly ScannedObject[], op: Op): Taken {
    for (const object of objects) this.#service.setConfig(object.bytes.toString(), op.session);
    return { reply: Buffer.from(this.form().bytes), failure: null };
  }

  rejected(_bytes: Uint8Array, error: FsError): FsError {
    return error;
  }

  incomplete(): void {
    return undefined;
  }
}
