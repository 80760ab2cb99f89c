import { FsError } from '../../lib/core/index.js';
import {
  BaseFile,
  Document,
  documentStat,
  newIno,
  ReadOnlyHandle,
  type AttrChange,
  type DirNode,
  type FileHandle,
  type Freshness,
  type OpenFlags,
  type Snapshot,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { createExport } from '../../lib/providers/index.js';
import { createMemoryVfs, MemoryDir, MemorySymlink } from './memory-vfs.js';

export const MANY = 2000;

/** Names that a careless tree or codec trips over. Each file holds its own name. */
export const ODD_NAMES: readonly string[] = [
  'ä',
  'a\u0308',
  '日本語',
  '😀',
  '\ufffd',
  ' leading and trailing ',
  'with\nnewline',
  'with\ttab',
  '-rf',
  `quote'"quote`,
  'back\\slash',
  '*',
  '%41',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '...',
  'é'.repeat(127),
  'x'.repeat(255),
];

/** Content that a test sets; its time moves with it, by at least a millisecond. */
class Content {
  #snapshot: Snapshot;

  constructor(text: string) {
    this.#snapshot = { bytes: Buffer.from(text), mtimeNs: BigInt(Date.now()) * 1_000_000n };
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  set(text: string): void {
    const bytes = Buffer.from(text);
    if (bytes.equals(this.#snapshot.bytes)) return;
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const nextNs = this.#snapshot.mtimeNs + 1_000_000n;
    this.#snapshot = { bytes, mtimeNs: nowNs > nextNs ? nowNs : nextNs };
  }
}

/** A stream: grows at its end, and open descriptors see it grow; after a rotation they stay with the old one. */
class Stream extends BaseFile {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly content = new Content('');

  stat(): Stat {
    return documentStat(this.ino, 0o444, this.content.snapshot);
  }
  open(flags: OpenFlags): FileHandle {
    if (flags.write) throw new FsError('EACCES', 'Streams are written by their service.');
    return new StreamHandle(this);
  }
  grow(text: string): void {
    this.content.set(Buffer.from(this.content.snapshot.bytes).toString() + text);
  }
}

class StreamHandle extends ReadOnlyHandle {
  readonly #stream: Stream;
  constructor(stream: Stream) {
    super();
    this.#stream = stream;
  }
  stat(): Stat {
    return this.#stream.stat();
  }
  read(at: number, size: number): Uint8Array {
    return this.#stream.content.snapshot.bytes.subarray(at, at + size);
  }
}

/** A control file: any bytes may be written, truncating means nothing, reading shows what was written last. */
class Control extends BaseFile {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #mode: number;
  readonly #act: (text: string) => void;
  readonly #written = new Content('');

  constructor(mode: number, act: (text: string) => void) {
    super();
    this.#mode = mode;
    this.#act = act;
  }
  stat(): Stat {
    return documentStat(this.ino, this.#mode, this.#written.snapshot);
  }
  override setattr(change: AttrChange): Stat {
    if (change.mode !== undefined && change.mode !== this.#mode)
      throw new FsError('EPERM', 'The mode stays as it is.');
    return this.stat();
  }
  open(flags: OpenFlags): FileHandle {
    if (flags.write && (this.#mode & 0o200) === 0)
      throw new FsError('EACCES', 'This session may not write here.');
    return new ControlHandle(this.stat(), this.#written.snapshot.bytes, (text) => {
      this.#act(text);
      this.#written.set(text);
    });
  }
}

class ControlHandle extends ReadOnlyHandle {
  readonly #stat: Stat;
  readonly #bytes: Uint8Array;
  readonly #act: (text: string) => void;
  constructor(stat: Stat, bytes: Uint8Array, act: (text: string) => void) {
    super();
    this.#stat = stat;
    this.#bytes = bytes;
    this.#act = act;
  }
  stat(): Stat {
    return this.#stat;
  }
  read(at: number, size: number): Uint8Array {
    return this.#bytes.subarray(at, at + size);
  }
  override write(_at: number, data: Uint8Array): number {
    this.#act(Buffer.from(data).toString());
    return data.byteLength;
  }
}

/**
 * The tree that `vfsSuite` runs on: what the namespace has, in small. What changes by itself elsewhere is
 * changed here by writing a line to `/control/poke`, so that the suite needs nothing but file operations:
 * `live TEXT`, `announced TEXT`, `grow TEXT`, `rotate`, `fail ERRNO` (what reading `/broken` answers).
 * `work` is what stands at `/work`, a writable directory.
 */
export function createReferenceTree(work?: DirNode): Vfs {
  const vfs = createMemoryVfs(true);
  const { root, changes } = vfs;
  const fixedDir = (parent: MemoryDir, name: string): MemoryDir =>
    parent.put(name, new MemoryDir(changes, 0o555, true));
  const text = (content: string): Document => {
    const fixed = new Content(content).snapshot;
    return new Document(() => fixed);
  };

  root.put('README.md', text('# A tree\n\nFor tests.\n'));
  const docs = fixedDir(root, 'docs');
  docs.put('hello.txt', text('hello\n'));
  docs.put('empty.txt', text(''));
  docs.put('large.bin', text('0123456789abcdef'.repeat(40_000)));
  const live = new Content('{"n":0}\n');
  docs.put('live.json', new Document(() => live.snapshot, { freshness: 'live' }));
  const announced = new Content('first\n');
  const announcedNode = docs.put('announced.txt', new Document(() => announced.snapshot));
  let looks = 0;
  docs.put(
    'restless.json',
    new Document(() => new Content(`{"look":"${'x'.repeat(looks++ % 50)}"}\n`).snapshot, {
      freshness: 'live',
    }),
  );
  const later = new Content('later\n').snapshot;
  docs.put('later.txt', new Document(() => Promise.resolve(later)));

  const names = fixedDir(root, 'names');
  for (const name of ODD_NAMES) names.put(name, text(name));
  const many = fixedDir(root, 'many');
  for (let i = 0; i < MANY; i++) many.put(`entry-${String(i).padStart(5, '0')}`, text(`${i}\n`));
  let deep = fixedDir(root, 'deep');
  for (let i = 0; i < 20; i++) deep = fixedDir(deep, `level-${i}`);
  deep.put('bottom.txt', text('bottom\n'));

  root.put('link', new MemorySymlink(changes, 'docs/hello.txt'));
  root.put('dangling', new MemorySymlink(changes, 'nowhere'));
  root.put('loop', new MemorySymlink(changes, 'loop'));

  let stream = root.put('stream.ndjson', new Stream());
  let failure: unknown = new FsError('EHOSTDOWN', 'The node is not connected.');
  const fail = (): never => {
    throw failure;
  };
  root.put('broken', new Document(fail));
  root.put('broken-later', new Document(() => Promise.reject(failure as Error)));

  const control = fixedDir(root, 'control');
  control.put(
    'poke',
    new Control(0o644, (line) => {
      const [command, rest] = [line.split(/\s/, 1)[0], line.slice(line.indexOf(' ') + 1)];
      if (command === 'live') live.set(rest);
      else if (command === 'announced') {
        announced.set(rest);
        changes.emit({ what: 'data', ino: announcedNode.ino });
      } else if (command === 'grow') {
        stream.grow(rest);
        changes.emit({ what: 'data', ino: stream.ino });
      } else if (command === 'rotate') stream = root.put('stream.ndjson', new Stream());
      else if (command === 'fail') failure = failureNamed(rest.trim());
    }),
  );
  control.put('denied', new Control(0o444, fail));
  control.put('picky', new Control(0o644, () => fail()));

  root.put('work', work ?? new MemoryDir(changes));
  return vfs;
}

function failureNamed(name: string): unknown {
  if (name === 'text') return 'just a text';
  if (name === 'type-error') return new TypeError('a programmer erred');
  return new FsError(name as 'EIO', `As asked for: ${name}.`);
}

/** The same with a real directory at `/work`. */
export async function createReferenceTreeWithExport(path: string): Promise<Vfs> {
  const work = await createExport({ name: 'work', path, readOnly: false, forbidden: [], squash: null });
  const tree = createReferenceTree(work.root);
  const stop = work.changes.on((change) => tree.changes.emit(change));
  return {
    root: tree.root,
    changes: tree.changes,
    async close() {
      stop();
      await work.close();
      await tree.close();
    },
  };
}
