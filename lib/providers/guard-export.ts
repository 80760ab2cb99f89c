import { FsError } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  ForwardingDir,
  ForwardingFile,
  ForwardingSymlink,
  GuardedHandle,
  chain,
  type Awaitable,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Node,
  type Op,
  type Stat,
  type SymlinkNode,
  type Vfs,
  type Wrapper,
} from '../vfs/index.js';

/** Asked for each operation, so that a right that is given or withdrawn counts at once. */
export interface ExportRights {
  /** Whether it may know that the node has exports. */
  maySee(session: Session): boolean;
  mayRead(session: Session): boolean;
  mayWrite(session: Session): boolean;
  /** Somebody tried to write who may not. */
  denied?(session: Session): void;
}

/**
 * `vfs` as a session with these rights sees it: without `read` nothing is there (ENOENT); without `write`
 * nothing has write bits, and what would change it is EACCES. Both hold for descriptors that are open, which
 * answer EACCES. Closing it closes `vfs`.
 */
export function guardExport(vfs: Vfs, rights: ExportRights): Vfs {
  const guard = new Guard(rights);
  return {
    root: guard.dir(vfs.root),
    changes: vfs.changes,
    close: () => vfs.close(),
  };
}

const WRITE_BITS = 0o222;
const W_OK = 2;

function hidden(): FsError {
  return new FsError('ENOENT', 'There is no such thing here.');
}

function forbidden(): FsError {
  return new FsError('EACCES', 'This session may not do that here.', {
    hint: 'Ask an admin for the right to write to this export.',
  });
}

/** The rights, and the guarded twin of each node: one for one, so that identity is kept. */
class Guard implements Wrapper {
  readonly rights: ExportRights;
  readonly #twins = new WeakMap<Node, Node>();

  constructor(rights: ExportRights) {
    this.rights = rights;
  }

  dir(inner: DirNode): DirNode {
    return this.#twin(inner, () => new ForwardingDir(this, inner));
  }

  file(inner: FileNode): FileNode {
    return this.#twin(inner, () => new ForwardingFile(this, inner));
  }

  symlink(inner: SymlinkNode): SymlinkNode {
    return this.#twin(inner, () => new ForwardingSymlink(this, inner));
  }

  handle(inner: FileHandle): FileHandle {
    return new GuardedExportHandle(this, inner);
  }

  look(op: Op): void {
    if (!this.rights.mayRead(op.session)) throw hidden();
  }

  change(op: Op): void {
    this.look(op);
    if (this.rights.mayWrite(op.session)) return;
    this.rights.denied?.(op.session);
    throw forbidden();
  }

  checkAccess(mask: number, op: Op): void {
    this.look(op);
    if ((mask & W_OK) !== 0 && !this.rights.mayWrite(op.session)) throw forbidden();
  }

  /** Without write bits for a session that may not write. */
  shown(stat: Stat, op: Op): Stat {
    return this.rights.mayWrite(op.session) ? stat : { ...stat, mode: stat.mode & ~WRITE_BITS };
  }

  #twin<Twin extends Node>(inner: Twin, make: () => Twin): Twin {
    let twin = this.#twins.get(inner);
    if (twin === undefined) this.#twins.set(inner, (twin = make()));
    return twin as Twin;
  }
}

class GuardedExportHandle extends GuardedHandle {
  readonly #guard: Guard;

  constructor(guard: Guard, inner: FileHandle) {
    super(inner, ({ session }, writes) => {
      const { rights } = guard;
      if (!rights.mayRead(session) || (writes && !rights.mayWrite(session))) throw forbidden();
    });
    this.#guard = guard;
  }

  override stat(op: Op): Awaitable<Stat> {
    return chain(super.stat(op), (stat) => this.#guard.shown(stat, op));
  }
}
