import { FsError } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import type { DirEntry, DirNode } from '../../vfs/index.js';
import { NumberedNodes, type NodeNumbers } from './numbered-nodes.js';
import type { ReadBudget } from './read-budget.js';
import type { ServedHandle } from './served-handle.js';
import type { ServedOp } from './served-op.js';

/** How many descriptors one session may hold open on one connection. */
export const MAX_HANDLES = 8192;
/** How many of its requests may run at once. */
export const MAX_RUNNING = 2048;
/** How many bytes of content its running writes may hold. */
export const MAX_WRITING_BYTES = 64 * 1024 * 1024;

/** How many entries the listings may have that are read page by page, but for the last. */
const MAX_KEPT_ENTRIES = 200_000;

/** One session's side of a connection: what it has looked up, opened and asked for. Nothing of it meets another's. */
export class ServedSession {
  /** The session's id on the wire; undefined where the connection is one session. */
  readonly id: string | undefined;
  readonly nodes: NumberedNodes;
  readonly handles = new Map<number, ServedHandle>();
  readonly running = new Map<number, ServedOp>();
  /** Listings that are being read page by page, by node number and reader; the oldest is dropped. */
  readonly #listings = new Map<string, readonly DirEntry[]>();
  /** The session as of now. */
  sessionOf: () => Session;
  readonly budget: ReadBudget;
  writingBytes = 0;
  /** How many of those that run wait for what may never happen. */
  waiting = 0;

  constructor(
    id: string | undefined,
    sessionOf: () => Session,
    root: DirNode,
    numbers: NodeNumbers,
    budget: ReadBudget,
  ) {
    this.id = id;
    this.sessionOf = sessionOf;
    this.budget = budget;
    this.nodes = new NumberedNodes(root, numbers);
  }

  /** @throws FsError EBADF for a handle that is not open. */
  handle(number: number): ServedHandle {
    const handle = this.handles.get(number);
    if (handle === undefined) throw new FsError('EBADF', `Handle ${number} is not open.`);
    return handle;
  }

  listing(number: number, op: ServedOp): readonly DirEntry[] | undefined {
    return this.#listings.get(keyOf(number, op));
  }

  keepListing(number: number, op: ServedOp, entries: readonly DirEntry[]): void {
    const key = keyOf(number, op);
    this.#listings.delete(key);
    this.#listings.set(key, entries);
    let kept = 0;
    for (const { length } of this.#listings.values()) kept += length;
    for (const [oldest, { length }] of this.#listings) {
      if (oldest === key || (this.#listings.size <= 16 && kept <= MAX_KEPT_ENTRIES)) break;
      this.#listings.delete(oldest);
      kept -= length;
    }
  }

  dropListing(number: number, op: ServedOp): void {
    this.#listings.delete(keyOf(number, op));
  }

  /** Gives back everything. What runs goes on to its end, unless it only reads. */
  async abandon(): Promise<void> {
    for (const op of this.running.values()) if (op.onlyReads) op.cancel();
    const handles = [...this.handles.values()];
    this.handles.clear();
    this.#listings.clear();
    await Promise.allSettled(handles.map((handle) => handle.abandon()));
  }
}

/** A session that acts as another user reads no listing that was made for somebody else. */
function keyOf(number: number, { remoteUid }: ServedOp): string {
  return `${number} ${remoteUid ?? ''}`;
}
