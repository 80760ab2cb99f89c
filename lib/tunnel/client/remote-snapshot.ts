import { ReadOnlyHandle, type Awaitable, type OpenFlags, type Op, type Stat } from '../../vfs/index.js';
import type { RemoteFile } from './remote-file.js';

const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };

/**
 * A descriptor over bytes that are here: a document's snapshot. When rights may have changed, or the peer
 * was away, the far side is asked once whether this session may still read it.
 */
export class RemoteSnapshot extends ReadOnlyHandle {
  override readonly direct: boolean;
  readonly fixed = true;
  readonly holds: Uint8Array;
  readonly awaitChange?: (from: number, op: Op) => Promise<boolean>;
  readonly #file: RemoteFile;
  readonly #stat: Stat;
  #provenVersion: number;
  #provenSequence: number;

  constructor(file: RemoteFile, bytes: Uint8Array, stat: Stat, direct: boolean) {
    super();
    this.#file = file;
    this.holds = bytes;
    this.#stat = stat;
    this.direct = direct;
    this.#provenVersion = file.remote.cacheVersion;
    this.#provenSequence = file.remote.sequence;
    if (file.remote.canAwait) this.awaitChange = (from, op) => this.#awaitOther(from, op);
  }

  stat(op: Op): Awaitable<Stat> {
    const proof = this.#prove(op);
    return proof === undefined ? this.#stat : proof.then(() => this.#stat);
  }

  read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    const proof = this.#prove(op);
    return proof === undefined
      ? this.holds.subarray(at, at + size)
      : proof.then(() => this.holds.subarray(at, at + size));
  }

  /** The far side has no descriptor of it any more: another is opened, which may show something else already. */
  async #awaitOther(offset: number, op: Op): Promise<boolean> {
    const { remote } = this.#file;
    const { payload, generation } = await this.#file.openRemote(READ, op, 0);
    const h = payload.handle;
    try {
      const now = await remote.request('read', { h }, { offset: 0, count: this.holds.byteLength + 1 }, op);
      if (Buffer.compare(now.data ?? new Uint8Array(), this.holds) !== 0) return true;
      return (await remote.request('await', { h }, { offset }, op)).payload.changed;
    } finally {
      remote.closeHandle(h, generation);
    }
  }

  #prove(op: Op): Promise<void> | undefined {
    const { remote } = this.#file;
    remote.notice(op.session);
    remote.checkCacheUsable();
    const { cacheVersion, sequence } = remote;
    if (!this.#file.isVoidSince(this.#provenVersion, this.#provenSequence)) return undefined;
    return this.#file.proveReadable(op).then(() => {
      this.#provenVersion = cacheVersion;
      this.#provenSequence = sequence;
    });
  }
}
