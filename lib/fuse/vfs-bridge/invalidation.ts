import type { Change } from '../../vfs/index.js';
import {
  type NegotiatedInit,
  INIT_FLAGS,
  incEpoch,
  invalEntry,
  invalInode,
  type Notifier,
} from '../kernel/index.js';
import type { NodeRef, InodeTable } from './inode-table.js';

/** The first minor with FUSE_NOTIFY_INC_EPOCH. */
const EPOCH_MINOR = 44;

/**
 * Notifies the kernel of what is no longer as it was. Attributes are void at once, before the writer that caused
 * the change is answered. What takes a directory's lock, or waits for pages, goes through the notifier's
 * thread; a caller that may wait for it awaits `notifier.settled`.
 */
export class Invalidation {
  readonly #nodes: InodeTable;
  readonly #notifier: Notifier;
  #agreed: NegotiatedInit | undefined;
  /** Counts changes: an answer that was asked for before one and comes after it must not be kept. */
  generation = 0;

  constructor(nodes: InodeTable, notifier: Notifier) {
    this.#nodes = nodes;
    this.#notifier = notifier;
  }

  begin(agreed: NegotiatedInit): void {
    this.#agreed = agreed;
  }

  apply(change: Change): void {
    this.generation += 1;
    if (change.what === 'all') return this.#all();
    if (change.what === 'tree') return this.#tree(change.ino);
    for (const ref of this.#nodes.known(change.ino)) {
      if (change.what === 'entry') this.#entry(ref, change.name);
      if (change.what !== 'attr') this.#content(ref);
      this.#attributes(ref);
    }
  }

  #attributes(ref: NodeRef): void {
    if (ref.node.freshness === 'live') return;
    // Answered, though not known yet: the kernel is about to take in the answer, under the directory's lock.
    if (!this.#notifier.now(invalInode(ref.nodeid, 'attr')) && ref.lookups > 0) this.#places(ref);
  }

  #content(ref: NodeRef): void {
    ref.cached = undefined;
    if (!ref.inUse || ref.node.freshness === 'live') return;
    if (ref.node.kind === 'file' && ref.node.freshness === 'announced') {
      // Descriptors that are open keep their snapshot, with its pages and attributes: the name moves on.
      this.#nodes.retire(ref);
      this.#places(ref);
    } else this.#notifier.later(invalInode(ref.nodeid, 'data'));
  }

  #entry(dir: NodeRef, name: string): void {
    this.#notifier.later(invalEntry(dir.nodeid, name, this.#canExpire));
  }

  /** Every name that leads to `ref`. */
  #places(ref: NodeRef): void {
    if (ref.parent !== undefined) this.#entry(ref.parent, ref.name);
    for (const { parent, name } of ref.otherPlaces?.values() ?? []) {
      if (parent !== ref.parent || name !== ref.name) this.#entry(parent, name);
    }
  }

  #all(): void {
    const marksAll = this.#agreed !== undefined && this.#agreed.minor >= EPOCH_MINOR;
    if (marksAll) this.#notifier.now(incEpoch());
    for (const ref of this.#nodes.all()) this.#anew(ref, !marksAll);
  }

  #tree(ino: bigint): void {
    for (const ref of this.#nodes.below(ino)) this.#anew(ref, true);
  }

  /** Nothing of it is sure any longer, nor, with `names`, which names lead to it. */
  #anew(ref: NodeRef, names: boolean): void {
    this.#notifier.now(invalInode(ref.nodeid, 'attr'));
    if (names && ref.parent !== undefined) this.#places(ref);
    if (ref.cached !== undefined || ref.inUse) this.#notifier.later(invalInode(ref.nodeid, 'data'));
    ref.cached = undefined;
  }

  get #canExpire(): boolean {
    return this.#agreed !== undefined && (this.#agreed.flags & INIT_FLAGS.FUSE_HAS_EXPIRE_ONLY) !== 0n;
  }
}
