import { FsError } from '../../lib/core/index.js';
import {
  BaseFile,
  Document,
  documentStat,
  newIno,
  ReadOnlyDir,
  ReadOnlyHandle,
  type DirEntry,
  type FileHandle,
  type Node,
  type Op,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { createMemoryVfs } from './memory-vfs.js';

const EMPTY = { bytes: new Uint8Array(0), mtimeNs: 0n };

/** Ways to misbehave: each is the name of a directory with files that do so, in every operation. */
const MISDEEDS = new Map<string, () => never | Promise<never>>([
  ['throws-error', () => { throw new Error('thrown'); }], // prettier-ignore
  ['throws-null', () => { throw null; }], // prettier-ignore
  ['throws-unprintable', () => { throw { toString: () => { throw new Error('no'); } }; }], // prettier-ignore
  ['rejects-error', () => Promise.reject(new Error('rejected'))],
  ['rejects-undefined', () => Promise.reject(undefined)], // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors
  ['gives-nothing', () => undefined as never],
  ['gives-text', () => 'not what was asked for' as never],
  [
    'gives-nonsense',
    () => ({ size: NaN, mode: 'x', mtimeNs: null, ino: 'y', length: -1, byteLength: 1e12 }) as never,
  ],
]);

class HostileHandle extends ReadOnlyHandle {
  constructor(readonly misdeed: () => never | Promise<never>) {
    super();
  }
  stat = (): never | Promise<never> => this.misdeed();
  read = (): never | Promise<never> => this.misdeed();
  override write = (): never | Promise<never> => this.misdeed();
  flush = (): never | Promise<never> => this.misdeed();
  override release = (): never | Promise<never> => this.misdeed();
}

class HostileFile extends BaseFile {
  readonly ino = newIno();
  constructor(
    readonly misdeed: () => never | Promise<never>,
    readonly opens: boolean,
  ) {
    super();
  }
  stat = (): Stat | Promise<Stat> => (this.opens ? documentStat(this.ino, 0o644, EMPTY) : this.misdeed());
  open = (): FileHandle | Promise<FileHandle> =>
    this.opens ? new HostileHandle(this.misdeed) : this.misdeed();
  override setattr = (): never | Promise<never> => this.misdeed();
  override access = (): never | Promise<never> => this.misdeed();
  override getxattr = (): never | Promise<never> => this.misdeed();
  override listxattr = (): never | Promise<never> => this.misdeed();
  override statfs = (): never | Promise<never> => this.misdeed();
}

class HostileDir extends ReadOnlyDir {
  override readonly freshness = 'live';
  readonly ino = newIno();
  constructor(readonly misdeed: () => never | Promise<never>) {
    super();
  }
  stat(): Stat {
    return { ...documentStat(this.ino, 0o755, EMPTY), kind: 'dir' };
  }
  lookup(name: string): Node | Promise<Node> {
    if (name === 'opens') return new HostileFile(this.misdeed, true);
    if (name === 'closed') return new HostileFile(this.misdeed, false);
    return this.misdeed();
  }
  list = (): readonly DirEntry[] | Promise<readonly DirEntry[]> => this.misdeed();
  override create = (): never | Promise<never> => this.misdeed();
  override unlink = (): never | Promise<never> => this.misdeed();
}

/** A file whose reads and writes wait until they are abandoned. */
class WaitingFile extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live';
  stat(): Stat {
    return documentStat(this.ino, 0o644, EMPTY);
  }
  open(): FileHandle {
    return new WaitingHandle(this.stat());
  }
}

class WaitingHandle extends ReadOnlyHandle {
  readonly #stat: Stat;
  constructor(stat: Stat) {
    super();
    this.#stat = stat;
  }
  stat(): Stat {
    return this.#stat;
  }
  read(_at: number, _size: number, op: Op): Promise<Uint8Array> {
    return abandoned(op);
  }
  override write(_at: number, _data: Uint8Array, op: Op): Promise<number> {
    return abandoned(op);
  }
}

function abandoned(op: Op): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = (): void => reject(FsError.from(op.signal.reason));
    if (op.signal.aborted) give();
    else op.signal.addEventListener('abort', give, { once: true });
  });
}

/** A tree whose every answer is wrong in some way, with one good file beside it, and one that waits. */
export function createHostileTree(): Vfs {
  const vfs = createMemoryVfs(true);
  for (const [name, misdeed] of MISDEEDS) vfs.root.put(name, new HostileDir(misdeed));
  vfs.root.put('good.txt', new Document(() => ({ bytes: Buffer.from('good\n'), mtimeNs: 0n })));
  vfs.root.put('waiting', new WaitingFile());
  return vfs;
}
