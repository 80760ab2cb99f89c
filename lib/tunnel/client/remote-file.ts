import { FsError } from '../../core/index.js';
import { byteLengthOfText } from '../../linux/index.js';
import { MAX_PATH_BYTES } from '../../protocol/index.js';
import {
  bitsFromOpenFlags,
  chain,
  type Awaitable,
  type FileHandle,
  type FileNode,
  type Node,
  type OpenFlags,
  type Op,
  type SpecialKind,
  type Stat,
  type SymlinkNode,
} from '../../vfs/index.js';
import type { FsAnswer } from './pending-requests.js';
import { RemoteBase } from './remote-base.js';
import { RemoteHandle } from './remote-handle.js';
import { RemoteSnapshot } from './remote-snapshot.js';
import type { RemoteNode } from './remote-node.js';
import type { RequestOp } from './remote-session.js';
import { lostError, moreThanAsked } from '../wire/tunnel-errors.js';
import { statFromAttributes } from '../wire/wire-stat.js';

/** Documents up to this size come with the answer to `open`, and are kept. */
const INLINE_BYTES = 64 * 1024;

export class RemoteFile extends RemoteBase implements FileNode {
  readonly kind = 'file';
  special: SpecialKind | undefined;
  /** Rises when the content may have changed. */
  dataVersion = 0;
  /** What is live and can be written to is taken for one: the answer to a write comes from afar. */
  perOpen = false;
  /** It was seen to have more than one name; until it was seen, it may. */
  hasOtherNames = true;

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    this.admit(op);
    if (flags.write || this.freshness === 'shared') return this.#open(flags, op);
    const cached = this.freshness === 'announced' ? this.remote.host.contents.get(this) : undefined;
    if (cached === undefined || cached.cacheVersion !== this.remote.cacheVersion)
      return this.orInPlace(
        () => this.#open(flags, op),
        (node, their) => this.#openInPlace(node, flags, their),
      );
    this.remote.checkCacheUsable();
    return new RemoteSnapshot(this, cached.bytes, cached.stat, cached.direct);
  }

  lastKnownStat(): Stat | undefined {
    return this.parent?.glimpseOf(this.name);
  }

  openRemote(flags: OpenFlags, op: RequestOp, inline: number): Promise<FsAnswer<'open'>> {
    return this.ask('open', { flags: bitsFromOpenFlags(flags), inline }, op);
  }

  /** @throws FsError unless this session may read it now. */
  async proveReadable(op: Op): Promise<void> {
    await this.ask('access', { mask: 4 }, op);
  }

  override invalidate(sequence: number, what: 'attr' | 'data', name: string | undefined): void {
    super.invalidate(sequence, what, name);
    this.remote.host.contents.delete(this);
    if (what === 'data') this.dataVersion++;
  }

  protected override self(): RemoteNode {
    return this;
  }

  #openInPlace(node: Node, flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    if (node.kind !== 'file') throw lostError();
    return chain(node.open(flags, op), (handle) =>
      chain(handle.stat(op), (stat) => {
        if (handle.holds === undefined) throw lostError();
        return new RemoteSnapshot(this, handle.holds, { ...stat, ino: this.ino }, handle.direct);
      }),
    );
  }

  async #open(flags: OpenFlags, op: Op): Promise<FileHandle> {
    if (flags.truncate) this.touched();
    const { sequence } = this.remote;
    const inline = flags.read && !flags.write ? INLINE_BYTES : 0;
    const { payload, data, generation } = await this.openRemote(flags, op, inline);
    if (flags.truncate) this.touched();
    if ((data?.byteLength ?? 0) > inline) throw moreThanAsked();
    const { attr, fixed, closed, direct = true, handle } = payload;
    if (attr !== undefined) {
      const stat = statFromAttributes(attr, this.ino);
      this.hasOtherNames = stat.nlink !== 1;
      if (!flags.truncate && !this.isPrivate(op))
        this.remember(stat, sequence, undefined, payload.bare === true);
      if (fixed === true && data !== undefined && data.byteLength === stat.size) {
        if (closed !== true) this.remote.closeHandle(handle, generation);
        const bytes = Uint8Array.from(data);
        if (this.freshness === 'announced' && this.remote.isFresh(sequence, this))
          this.remote.host.contents.set(this, {
            bytes,
            stat,
            direct,
            cacheVersion: this.remote.cacheVersion,
          });
        return new RemoteSnapshot(this, bytes, stat, direct);
      }
    }
    return new RemoteHandle(this, { flags, op }, generation, payload, data);
  }
}

export class RemoteSymlink extends RemoteBase implements SymlinkNode {
  readonly kind = 'symlink';

  async readlink(op: Op): Promise<string> {
    const { target } = (await this.ask('readlink', {}, op)).payload;
    if (byteLengthOfText(target) > MAX_PATH_BYTES)
      throw new FsError('EIO', 'The far side says that the link is longer than a path may be.');
    this.remote.host.linkRule?.(this.path, target);
    return target;
  }

  protected override self(): RemoteNode {
    return this;
  }
}
