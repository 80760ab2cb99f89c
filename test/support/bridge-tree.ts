import { Emitter, FsError } from '../../lib/core/index.js';
import {
  BaseFile,
  Document,
  documentStat,
  newIno,
  ReadOnlyDir,
  ReadOnlyHandle,
  type Awaitable,
  type Change,
  type DirEntry,
  type FileHandle,
  type Node,
  type Op,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { heapBytes } from './garbage.js';

const EMPTY = { bytes: new Uint8Array(0), mtimeNs: 1_700_000_000_000_000_000n };

class Dir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly nodes = new Map<string, Node>();
  lookups = 0;

  stat(): Stat {
    return { ...documentStat(this.ino, 0o755, EMPTY), kind: 'dir', nlink: 2 };
  }
  lookup(name: string): Node {
    this.lookups += 1;
    const node = this.nodes.get(name);
    if (node === undefined) throw new FsError('ENOENT', 'There is no such name.');
    return node;
  }
  list(): readonly DirEntry[] {
    return [...this.nodes].map(([name, node]) => ({ name, ino: node.ino, kind: node.kind, node }));
  }
}

/** Its entries come by name alone, and its nodes by `lookupSync`. */
class SyncDir extends Dir {
  override list(): readonly DirEntry[] {
    return super.list().map(({ name, ino, kind }) => ({ name, ino, kind }));
  }
  lookupSync(name: string): Node | undefined {
    return this.nodes.get(name);
  }
}

/** A file that nobody gets open. */
class Gate extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live';
  stat(): Stat {
    return documentStat(this.ino, 0o666, EMPTY);
  }
  open(): Promise<FileHandle> {
    return new Promise(() => undefined);
  }
}

type Act = (text: string, op: Op) => number | Promise<number> | void;

/** A live file: each write is an act; reads give `content`. */
class Control extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live';
  flushes = 0;
  constructor(
    readonly act: Act,
    readonly content: (op: Op) => string | Promise<string> = () => '',
    readonly answersAtOnce = false,
    override readonly perOpen = true,
  ) {
    super();
  }
  stat(): Stat {
    return documentStat(this.ino, 0o666, EMPTY);
  }
  open(): FileHandle {
    return new ControlHandle(this);
  }
}

class ControlHandle extends ReadOnlyHandle {
  readonly #file: Control;
  constructor(file: Control) {
    super();
    this.#file = file;
  }
  stat(): Stat {
    return this.#file.stat();
  }
  async read(at: number, size: number, op: Op): Promise<Uint8Array> {
    return Buffer.from(await this.#file.content(op)).subarray(at, at + size);
  }
  flush(): void {
    this.#file.flushes += 1;
  }
  override write(_at: number, data: Uint8Array, op: Op): Awaitable<number> {
    const done = this.#file.act(Buffer.from(data).toString().trim(), op);
    return this.#file.answersAtOnce ? data.byteLength : Promise.resolve(done).then(() => data.byteLength);
  }
}

/** What was written to `set` last decides what an announced document shows. */
class Announced {
  #bytes = Buffer.from('0\n');
  #mtimeNs = EMPTY.mtimeNs;
  readonly node = new Document(() => ({ bytes: this.#bytes, mtimeNs: this.#mtimeNs }));

  set(text: string): void {
    this.#bytes = Buffer.from(`${text}\n`);
    this.#mtimeNs += 1_000_000n;
  }
}

/**
 * A tree for what only a bridge can do wrong. `barrier` takes `N` and answers when N writers wait; `wait`
 * answers when its writer gives up, or, where `N` was written, after so many ms; `gone` counts those that gave up;
 * `blocked`, which is not per open, is read when something is written to `open`; `taken` takes writes at
 * once, as does `taken-too`, its other name, and `flushes` counts its flushes; `busy` keeps the thread busy for as many ms as are written; `gate`
 * stays closed to all callers; `crash` ends the process; `lookups` counts those of names here and in
 * `sync`, where 100 documents are; `memory` shows the server's. `set` takes `NAME TEXT`, `remove NAME`,
 * `all`: `announced/NAME`.
 */
export function createBridgeTree(): Vfs {
  const changes = new Emitter<Change>();
  const root = new Dir();
  const announced = new Dir();
  const sync = new SyncDir();
  for (let i = 0; i < 100; i++) sync.nodes.set(`n${i}`, new Announced().node);
  const documents = new Map<string, Announced>();
  const waiting: (() => void)[] = [];
  const readers: (() => void)[] = [];
  let gaveUp = 0;
  let waits = 0;
  let opened = false;
  const files: Record<string, Control> = {
    barrier: new Control(
      (text) =>
        new Promise<number>((resolve) => {
          waiting.push(() => resolve(0));
          if (waiting.length === Number(text)) waiting.splice(0).forEach((go) => go());
        }),
    ),
    wait: new Control(
      (text, op) =>
        new Promise<number>((resolve, reject) => {
          waits += 1;
          const timer =
            text === ''
              ? undefined
              : setTimeout(() => {
                  waits -= 1;
                  resolve(0);
                }, Number(text));
          const { signal } = op;
          signal.addEventListener('abort', () => {
            clearTimeout(timer);
            gaveUp += 1;
            waits -= 1;
            reject(FsError.from(signal.reason));
          });
        }),
    ),
    taken: new Control(() => undefined, undefined, true),
    flushes: new Control(
      () => 0,
      () => `${files.taken!.flushes}\n`,
    ),
    waits: new Control(
      () => 0,
      () => `${waits}\n`,
    ),
    gone: new Control(
      () => 0,
      () => `${gaveUp}\n`,
    ),
    blocked: new Control(
      () => 0,
      () => (opened ? 'open\n' : new Promise((resolve) => readers.push(() => resolve('open\n')))),
      false,
      false,
    ),
    open: new Control(
      () => {
        opened = true;
        readers.splice(0).forEach((go) => go());
      },
      () => `${readers.length}\n`,
    ),
    busy: new Control((text) => {
      for (const end = Date.now() + Number(text); Date.now() < end;);
    }),
    crash: new Control(() => {
      setImmediate(() => {
        throw new Error('A crash, as asked for.');
      });
    }),
    lookups: new Control(
      () => 0,
      () => `${root.lookups} ${sync.lookups}\n`,
    ),
    memory: new Control(
      () => 0,
      () => `${heapBytes()}\n`,
    ),
    caller: new Control(
      () => 0,
      ({ caller }) => `${JSON.stringify(caller)}\n`,
    ),
    set: new Control((line) => {
      const [name = '', ...rest] = line.split(' ');
      if (name === 'all') return changes.emit({ what: 'all' });
      if (name === 'remove') {
        documents.delete(rest[0]!);
        announced.nodes.delete(rest[0]!);
        return changes.emit({ what: 'entry', ino: announced.ino, name: rest[0]! });
      }
      const known = documents.get(name);
      const document = known ?? new Announced();
      document.set(rest.join(' '));
      if (known !== undefined) return changes.emit({ what: 'data', ino: known.node.ino });
      documents.set(name, document);
      announced.nodes.set(name, document.node);
      changes.emit({ what: 'entry', ino: announced.ino, name });
    }),
  };
  for (const [name, file] of Object.entries(files)) root.nodes.set(name, file);
  root.nodes.set('taken-too', files.taken!);
  root.nodes.set('gate', new Gate());
  root.nodes.set('announced', announced);
  root.nodes.set('sync', sync);
  return { root, changes, close: async () => undefined };
}
