import { Emitter, FsError } from '../lib/core/index.js';
import {
  BaseFile,
  ReadOnlyDir,
  ReadOnlyHandle,
  documentStat,
  newIno,
  type Change,
  type DirEntry,
  type FileHandle,
  type FileNode,
  type Freshness,
  type Node,
  type OpenFlags,
  type Stat,
  type Vfs,
} from '../lib/vfs/index.js';

const MTIME_NS = 1_700_000_000_000_000_000n;
const zeros = Buffer.alloc(1024 * 1024);

/** The same files as bench/c/yardstick.c: each request costs the tree as little as possible. */
export function memoryVfs(freshness: Freshness): Vfs {
  const thousand = (): FixedDir =>
    new FixedDir(
      numbered('f', 1000, () => new Zeros(0, freshness)),
      freshness,
    );
  const root = new Map<string, Node>([
    ['doc', new Zeros(1024, 'announced')],
    ['live', new Zeros(1024, 'live')],
    ['talk', new Talk(1024, 'live')],
    ['big', new Zeros(64 * 1024 * 1024, 'announced')],
    ['bigdirect', new Zeros(64 * 1024 * 1024, 'live')],
    ['many', thousand()],
    ['tree', new FixedDir(numbered('d', 50, thousand), freshness)],
  ]);
  return {
    root: new FixedDir(root, 'announced'),
    extendedAttributes: false,
    changes: new Emitter<Change>(),
    close: async () => undefined,
  };
}

function numbered(letter: string, count: number, make: () => Node): Map<string, Node> {
  return new Map(Array.from({ length: count }, (_, i) => [`${letter}${i}`, make()]));
}

class FixedDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #entries: readonly DirEntry[];
  readonly #stat: Stat;

  constructor(nodes: ReadonlyMap<string, Node>, freshness: Freshness) {
    super();
    this.#nodes = nodes;
    this.freshness = freshness;
    this.#entries = [...nodes].map(([name, node]) => ({ name, ino: node.ino, kind: node.kind, node }));
    const file = documentStat(this.ino, 0o755, { bytes: zeros.subarray(0, 0), mtimeNs: MTIME_NS });
    this.#stat = { ...file, kind: 'dir', nlink: 2 };
  }

  stat(): Stat {
    return this.#stat;
  }

  lookup(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new FsError('ENOENT', `There is no ${JSON.stringify(name)}.`);
    return node;
  }

  list(): readonly DirEntry[] {
    return this.#entries;
  }
}

/** A file of zeros that takes writes and forgets them. */
class Zeros extends BaseFile implements FileNode {
  readonly ino = newIno();
  override readonly freshness: Freshness;
  readonly #stat: Stat;

  constructor(size: number, freshness: Freshness) {
    super();
    this.freshness = freshness;
    const empty = documentStat(this.ino, 0o666, { bytes: zeros.subarray(0, 0), mtimeNs: MTIME_NS });
    this.#stat = { ...empty, size };
  }

  stat(): Stat {
    return this.#stat;
  }

  open(flags: OpenFlags): FileHandle {
    return new ZerosHandle(this.#stat, this.freshness === 'live', !flags.write);
  }
}

/** The same where each caller is to have a node of its own, as `control/invoke.json` is. */
class Talk extends Zeros {
  override readonly perOpen = true;
}

class ZerosHandle extends ReadOnlyHandle {
  override readonly direct: boolean;
  readonly fixed: boolean;
  readonly #stat: Stat;

  constructor(stat: Stat, direct: boolean, fixed: boolean) {
    super();
    this.#stat = stat;
    this.direct = direct;
    this.fixed = fixed;
  }

  stat(): Stat {
    return this.#stat;
  }

  read(at: number, size: number): Uint8Array {
    return zeros.subarray(0, Math.max(0, Math.min(size, this.#stat.size - at, zeros.length)));
  }

  override write(_at: number, data: Uint8Array): number {
    return data.length;
  }
}
