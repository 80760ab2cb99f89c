import { Emitter, FsError } from '../core/index.js';
import {
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  ReadOnlyDir,
  type Change,
  type DirEntry,
  type DirNode,
  type Node,
  type Op,
  type Stat,
  type Vfs,
} from '../vfs/index.js';
import type { Export } from './export/create-export.js';
import { guardExport, type ExportRights } from './guard-export.js';

/**
 * `/nodes/<id>/fs/`: the exports of a node by name, each as the session's rights show it; to a session that
 * may not read there is none. Closing it closes the exports.
 * @throws FsError EEXIST when two exports have one name
 */
export function createFsProvider(exports: readonly Export[], rights: ExportRights): Vfs {
  const roots = new Map<string, DirNode>();
  for (const one of exports) {
    if (roots.has(one.name)) {
      throw new FsError('EEXIST', `Two exports are called ${JSON.stringify(one.name)}.`, {
        hint: 'Give each --export a name of its own.',
      });
    }
    roots.set(one.name, guardExport(one, rights).root);
  }
  const changes = new Emitter<Change>();
  const leave = exports.map((one) => one.changes.on((change) => changes.emit(change)));
  return {
    root: new ExportsDir(roots, rights),
    changes,
    async close() {
      for (const stop of leave) stop();
      await Promise.all(exports.map((one) => one.close()));
    },
  };
}

const NONE: ReadonlyMap<string, DirNode> = new Map();

class ExportsDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #roots: ReadonlyMap<string, DirNode>;
  readonly #rights: ExportRights;
  readonly #timeNs = nsFromMs(Date.now());

  constructor(roots: ReadonlyMap<string, DirNode>, rights: ExportRights) {
    super();
    this.#roots = roots;
    this.#rights = rights;
  }

  stat(op: Op): Stat {
    return dirStat(this.ino, this.#timeNs, 0o555, 2 + this.#visible(op).size);
  }

  lookup(name: string, op: Op): Node {
    const root = this.#visible(op).get(name);
    if (root === undefined) throw noSuchEntry(name);
    return root;
  }

  list(op: Op): readonly DirEntry[] {
    return [...this.#visible(op)].map(([name, root]) => entryOf(name, root));
  }

  /** @throws FsError ENOENT where the session may not know of it, though it has it open */
  #visible({ session }: Op): ReadonlyMap<string, DirNode> {
    if (!this.#rights.maySee(session)) throw new FsError('ENOENT', 'There is no such directory.');
    return this.#rights.mayRead(session) ? this.#roots : NONE;
  }
}
