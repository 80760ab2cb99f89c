import { FsError } from '../../core/index.js';
import { byteLengthOfText } from '../../linux/index.js';
import { MAX_NAME_BYTES, type FsRequest, type WireAttributes } from '../../protocol/index.js';
import {
  bitsFromOpenFlags,
  chain,
  newIno,
  type Awaitable,
  type Created,
  type DirEntry,
  type DirNode,
  type FileNode,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type SymlinkNode,
} from '../../vfs/index.js';
import type { Found, WireAttributesOfEntry } from './found.js';
import type { Child, Moment } from './remote-child.js';
import { KEPT_ENTRIES, LEARNED_ENTRIES } from './listing-budget.js';
import { RemoteBase, type OtherNode } from './remote-base.js';
import { RemoteFile, RemoteSymlink } from './remote-file.js';
import { RemoteHandle } from './remote-handle.js';
import type { RequestOp } from './remote-session.js';
import { lostError } from '../wire/tunnel-errors.js';
import { statFromAttributes } from '../wire/wire-stat.js';

export type RemoteNode = RemoteDir | RemoteFile | RemoteSymlink;

/** A path through `/proc` or a call of Linux has no more parts. */
const MAX_DEPTH = 2048;

export class RemoteDir extends RemoteBase implements DirNode {
  readonly kind = 'dir';
  /** The view's sequence when all below it was void for the last time. */
  treeSequence = 0;
  readonly #children = new Map<string, Child>();
  /** What was looked up while the far side was away: the same each time, and found there by its name later. */
  readonly #inPlace = new Map<string, RemoteNode>();
  #listing: { readonly entries: readonly DirEntry[]; readonly cacheVersion: number } | undefined;

  lookup(name: string, op: Op): Awaitable<Node> {
    // Every bridge looks a name up before it makes, moves or removes it.
    if (byteLengthOfText(name) > MAX_NAME_BYTES)
      throw new FsError('ENAMETOOLONG', 'A name has at most 255 bytes.');
    if (this.depth >= MAX_DEPTH)
      throw new FsError('ENAMETOOLONG', `Directories are nested more than ${MAX_DEPTH} deep.`);
    this.admit(op);
    const child = this.#children.get(name);
    if (child?.cacheVersion === this.remote.cacheVersion && !this.isPrivate(op)) {
      // While nobody can be asked, the last that was known of a name stands in, but not for live files.
      if (this.freshness === 'announced' || (!this.remote.connected && child.node !== undefined)) {
        this.remote.checkCacheUsable();
        return this.#nodeOfChild(name, child);
      }
      // What was listed a moment ago is not looked up one by one.
      if (child.freshness === 'shared' && child.node?.knownStat() !== undefined) return child.node;
    }
    return this.orInPlace(
      () => this.#lookup(name, op),
      (dir, their) => this.#lookupInPlace(dir, name, their),
    );
  }

  list(op: Op): Awaitable<readonly DirEntry[]> {
    this.admit(op);
    const known = this.#listing;
    const good = (this.freshness === 'announced' || !this.remote.connected) && !this.isPrivate(op);
    if (known === undefined || known.cacheVersion !== this.remote.cacheVersion || !good)
      return this.orInPlace(
        () => this.#list(op),
        (dir, their) => this.#listInPlace(dir, their),
      );
    this.remote.checkCacheUsable();
    return known.entries;
  }

  async create(name: string, flags: OpenFlags, mode: number, op: Op): Promise<Created> {
    this.touched();
    const how = { ...permissions(mode, op), flags: bitsFromOpenFlags(flags) };
    const { payload, generation } = await this.ask('create', { name, ...how }, op);
    this.touched();
    const found = { ...payload.attr, kind: 'file' as const, node: payload.node, bare: payload.bare };
    const node = this.adopt(name, found, { sequence: this.remote.sequence, generation }, op);
    if (node.kind !== 'file') throw new FsError('EPROTO', 'The far side created something that is no file.');
    node.hasOtherNames = payload.attr?.nlink !== 1;
    return { node, handle: new RemoteHandle(node, { flags, op }, generation, payload, undefined) };
  }

  async tmpfile(flags: OpenFlags, mode: number, op: Op): Promise<Created> {
    const { remote } = this;
    if (!remote.canMakeSpecial) throw new FsError('EOPNOTSUPP', 'A file must have a name there.');
    const how = { ...permissions(mode, op), flags: bitsFromOpenFlags(flags) };
    const { payload, generation } = await this.ask('tmpfile', how, op);
    const ino = remote.host.inoFrom(payload.attr?.ino);
    const node = new RemoteFile(remote, this, NAMELESS, ino, payload.attr?.freshness ?? 'shared');
    node.numbered(payload.node, generation);
    remote.register(payload.node, ino, node, { dir: this, name: NAMELESS, generation });
    return { node, handle: new RemoteHandle(node, { flags, op }, generation, payload, undefined) };
  }

  async mkdir(name: string, mode: number, op: Op): Promise<DirNode> {
    const made = await this.#make('mkdir', name, { name, ...permissions(mode, op) }, op);
    if (made.kind !== 'dir') throw new FsError('EPROTO', 'The far side made something that is no directory.');
    return made;
  }

  async mknod(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Promise<FileNode> {
    if (!this.remote.canMakeSpecial) throw new FsError('EPERM', 'Pipes and sockets cannot be made there.');
    const made = await this.#make('mknod', name, { name, special, ...permissions(mode, op) }, op);
    if (made.kind !== 'file') throw new FsError('EPROTO', 'The far side made something that is no file.');
    return made;
  }

  async symlink(name: string, target: string, op: Op): Promise<SymlinkNode> {
    const made = await this.#make('symlink', name, { name, target }, op);
    if (made.kind !== 'symlink')
      throw new FsError('EPROTO', 'The far side made something that is no symlink.');
    return made;
  }

  async link(target: Node, name: string, op: Op): Promise<Node> {
    const mine = this.#nodeOfThisTree(target);
    mine.touched();
    return this.#make('link', name, { name }, op, { field: 'target_node', node: mine });
  }

  async unlink(name: string, op: Op): Promise<void> {
    await this.#remove('unlink', name, op);
  }

  async rmdir(name: string, op: Op): Promise<void> {
    await this.#remove('rmdir', name, op);
  }

  async rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Promise<void> {
    const to = this.#nodeOfThisTree(toDir);
    if (to.kind !== 'dir') throw new FsError('ENOTDIR', 'The target is not a directory.');
    const moved = this.#children.get(name)?.node;
    const replaced = to.#children.get(toName)?.node;
    try {
      await this.ask('rename', { name, to_name: toName, flags }, op, { field: 'to_node', node: to });
    } finally {
      this.touched();
      to.touched();
      replaced?.touched();
      this.#gone(name);
      to.#gone(toName);
    }
    if (moved !== undefined) {
      moved.parent = to;
      moved.name = toName;
      moved.touched();
    }
  }

  async fsync(op: Op): Promise<void> {
    await this.ask('fsync', {}, op);
  }

  override invalidate(sequence: number, what: 'attr' | 'data', name: string | undefined): void {
    super.invalidate(sequence, what, name);
    if (what === 'attr') return;
    this.#listing = undefined;
    const doubted = name === undefined ? this.#children.values() : [this.#children.get(name)];
    for (const child of doubted) if (child !== undefined) child.cacheVersion = -1;
  }

  /** Lets go of all that is known of names, here and below. */
  dropChildren(): void {
    this.#children.clear();
    this.#inPlace.clear();
    this.#listing = undefined;
  }

  /** The node that an answer to a request sent `then` speaks of; one that is known already stays itself. */
  adopt(name: string, found: Found, then: Moment, op: RequestOp): RemoteNode {
    const { remote } = this;
    const { sequence, generation } = then;
    const freshness = found.freshness ?? 'shared';
    const before = this.#children.get(name);
    const isSaidBefore =
      found.ino !== undefined && before?.theirs === found.ino && before.generation === generation;
    const isNow = generation === remote.generation;
    const ino =
      remote.host.inoAt(this.depth, () => [...this.path, name]) ??
      (isSaidBefore ? before.ino : isNow ? remote.host.inoFrom(found.ino) : newIno());
    const same =
      before !== undefined &&
      before.ino === ino &&
      before.kind === found.kind &&
      before.special === found.special &&
      before.freshness === freshness;
    // All names of one file are one node, so that what is done by one is known at the others.
    const known = isNow ? remote.sharedFile(found.node, ino) : undefined;
    if (known !== undefined) known.foundAt(this, name);
    const node = known ?? (same ? before.node : undefined) ?? this.#newNode(name, found, ino, freshness);
    const kept = freshness === 'live' && found.kind === 'file' ? undefined : node;
    if (isNow && !node.isNumbered(found.node)) {
      node.numbered(found.node, generation);
      remote.register(found.node, ino, kept, { dir: this, name, generation });
    }
    const perOpen =
      found.mode === undefined
        ? same && before.perOpen
        : found.kind === 'file' && freshness === 'live' && found.mode.includes('w');
    if (node.kind === 'file') node.perOpen = perOpen;
    this.#children.set(name, {
      number: found.node,
      ino,
      theirs: found.ino,
      generation,
      kind: found.kind,
      special: found.special,
      freshness,
      node: kept,
      perOpen,
      cacheVersion: isNow && remote.isFresh(sequence, this) && !this.isPrivate(op) ? remote.cacheVersion : -1,
      lastKnownStat: same ? before.lastKnownStat : undefined,
    });
    if (found.size !== undefined && found.mode !== undefined)
      node.remember(statFromAttributes(found as WireAttributes, ino), sequence, op, found.bare === true);
    return node;
  }

  /** The attributes that its live file `name` had a moment ago, as far as they are known. */
  glimpseOf(name: string): Stat | undefined {
    const child = this.#children.get(name);
    return child?.cacheVersion === this.remote.cacheVersion ? child.lastKnownStat : undefined;
  }

  noteStat(name: string, stat: Stat): void {
    const child = this.#children.get(name);
    if (child?.ino === stat.ino) child.lastKnownStat = stat;
  }

  protected override self(): RemoteNode {
    return this;
  }

  #learn(freshness: Freshness | undefined): void {
    if (freshness !== undefined) this.freshness = freshness;
  }

  #newNode(
    name: string,
    { kind, special }: Pick<WireAttributesOfEntry, 'kind' | 'special'>,
    ino: bigint,
    freshness: Freshness,
  ): RemoteNode {
    const Kind = kind === 'dir' ? RemoteDir : kind === 'file' ? RemoteFile : RemoteSymlink;
    const node = new Kind(this.remote, this, name, ino, freshness);
    if (node.kind === 'file') node.special = special;
    return node;
  }

  #nodeOfChild(name: string, child: Child): RemoteNode {
    if (child.node !== undefined) return child.node;
    const node = this.#newNode(name, child, child.ino, child.freshness);
    if (node.kind === 'file') node.perOpen = child.perOpen;
    node.numbered(child.number, child.generation);
    return node;
  }

  #lookupInPlace(dir: Node, name: string, op: Op): Awaitable<Node> {
    return chain(asDir(dir).lookup(name, op), (node) => this.#nodeInPlace(name, node));
  }

  #listInPlace(dir: Node, op: Op): Awaitable<readonly DirEntry[]> {
    return chain(asDir(dir).list(op), (entries) =>
      entries.map(({ name, kind, node, ino }) => {
        const known = this.#children.get(name);
        if (known?.cacheVersion === this.remote.cacheVersion) return { name, kind, ino: known.ino };
        return { name, kind, ino: node === undefined ? ino : this.#nodeInPlace(name, node).ino };
      }),
    );
  }

  #nodeInPlace(name: string, shown: Node): RemoteNode {
    let node = this.#inPlace.get(name);
    if (node?.kind !== shown.kind || node.freshness !== shown.freshness) {
      node = this.#newNode(name, shown, newIno(), shown.freshness);
      this.#inPlace.set(name, node);
    }
    if (node.kind === 'file' && shown.kind === 'file') node.perOpen = shown.perOpen === true;
    return node;
  }

  async #lookup(name: string, op: Op): Promise<Node> {
    const { sequence } = this.remote;
    const { payload, generation } = await this.ask('lookup', { name }, op);
    this.#learn(payload.dir);
    return this.adopt(name, payload, { sequence, generation }, op);
  }

  async #list(op: Op): Promise<readonly DirEntry[]> {
    const { sequence, cacheVersion } = this.remote;
    const isPrivate = this.isPrivate(op);
    const entries: DirEntry[] = [];
    const count = this.remote.host.listings.begin();
    try {
      for (let cookie = 0, eof = false; !eof;) {
        const plus = count.entries < LEARNED_ENTRIES && !isPrivate;
        const { payload, generation } = await this.ask('readdirp', { cookie, plus }, op);
        const then = { sequence, generation };
        count.add(payload.entries);
        this.#learn(payload.dir);
        for (const entry of payload.entries) entries.push(this.#entryFrom(entry, then, op));
        eof = payload.eof || payload.next <= cookie;
        cookie = payload.next;
        if (!eof && op.signal.aborted) throw FsError.from(op.signal.reason);
      }
    } finally {
      count.end();
    }
    const isKept = entries.length <= KEPT_ENTRIES && cacheVersion === this.remote.cacheVersion && !isPrivate;
    if (isKept && this.remote.isFresh(sequence, this)) this.#listing = { entries, cacheVersion };
    return entries;
  }

  #entryFrom(
    entry: WireAttributesOfEntry & { readonly name: string; readonly node?: number | undefined },
    then: Moment,
    op: RequestOp,
  ): DirEntry {
    const { name, kind, special, node: number } = entry;
    if (number === undefined) return { name, kind, special, ino: this.remote.host.inoFrom(entry.ino) };
    const node = this.adopt(name, { ...entry, node: number }, then, op);
    return { name, kind, special, ino: node.ino, ...(node.freshness === 'live' ? {} : { node }) };
  }

  async #make<Name extends 'mkdir' | 'mknod' | 'symlink' | 'link'>(
    type: Name,
    name: string,
    payload: Omit<FsRequest<Name>, OtherNode['field']>,
    op: Op,
    other?: OtherNode,
  ): Promise<RemoteNode> {
    this.touched();
    const answer = await this.ask(type, payload, op, other);
    this.touched();
    const then = { sequence: this.remote.sequence, generation: answer.generation };
    return this.adopt(name, answer.payload, then, op);
  }

  async #remove(type: 'unlink' | 'rmdir', name: string, op: Op): Promise<void> {
    try {
      await this.ask(type, { name }, op);
    } finally {
      this.touched();
      this.#children.get(name)?.node?.touched();
      this.#gone(name);
    }
  }

  #gone(name: string): void {
    this.#children.delete(name);
  }

  /** @throws FsError EXDEV for a node of another tree. */
  #nodeOfThisTree(node: Node): RemoteNode {
    if (isRemote(node) && node.remote === this.remote) return node;
    throw new FsError('EXDEV', 'The two are not on the same filesystem.');
  }
}

/** No entry has this name. */
const NAMELESS = '';

function permissions(mode: number, { masked }: Op): { perm: number; masked?: number } {
  return masked === undefined || masked === 0 ? { perm: mode } : { perm: mode, masked };
}

function asDir(node: Node): DirNode {
  if (node.kind !== 'dir') throw lostError();
  return node;
}

function isRemote(node: Node | RemoteNode): node is RemoteNode {
  return node instanceof RemoteBase;
}
