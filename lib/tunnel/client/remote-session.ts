import { FsError } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  FS_EVENTS,
  MAX_DATA_BYTES,
  MAX_READ_BYTES,
  payloadOf,
  ROOT_NODE,
  type AcheronEnvelope,
  type FsMessageName,
  type FsRequest,
} from '../../protocol/index.js';
import type { Caller, Change } from '../../vfs/index.js';
import { ClosingHandles } from './closing-handles.js';
import type { ContentCache } from './content-cache.js';
import type { ListingBudget } from './listing-budget.js';
import type { FsClient, RequestTarget } from './fs-client.js';
import type { FsAnswer } from './pending-requests.js';
import { mayChange } from './may-change.js';
import { Origins } from './origins.js';
import { RemoteDir, type RemoteNode } from './remote-node.js';
import type { StandIn } from './stand-in.js';
import { UnsettledWrites } from './unsettled-writes.js';
import { forAdminsError } from '../wire/tunnel-errors.js';
import { textOfSession } from '../wire/wire-session.js';

/** On whose behalf a request is made; without a signal it cannot be cancelled. */
export interface RequestOp {
  readonly session: Session;
  readonly signal?: AbortSignal;
  readonly caller?: Caller;
  readonly origin?: object | undefined;
  readonly remoteUid?: number | undefined;
  readonly traceparent?: string | undefined;
}

/** What a view needs of the `RemoteVfs` that it belongs to. */
export interface RemoteSessionHost {
  readonly client: FsClient | undefined;
  /** The connection, though the far side may be silent. */
  readonly link: FsClient | undefined;
  /** As `RemoteVfs`. */
  readonly patienceMs: number;
  linkOf(generation: number): FsClient | undefined;
  whenConnected(signal?: AbortSignal): Promise<void>;
  readonly generation: number;
  readonly contents: ContentCache;
  readonly listings: ListingBudget;
  /** How long attributes of `shared` files are taken for true. */
  readonly sharedMs: number;
  /** Throws where the session must not learn that the link with this path points to `target`. */
  readonly linkRule?: ((names: readonly string[], target: string) => void) | undefined;
  /** Why the far side cannot be asked. */
  awayError(): FsError;
  /** @throws FsError EHOSTDOWN where the far side has been away for too long to show anything of it. */
  checkCacheUsable(): void;
  /** Our inode number for what has one already where it is; `depth` is that of its directory. */
  inoAt(depth: number, names: () => readonly string[]): bigint | undefined;
  /** Our inode number for what the far side says is one: nothing that it says makes it that of another's. */
  inoFrom(wire: string | undefined): bigint;
  /** Makes sure that the far side knows `session` as it is now. */
  sendSession(client: FsClient, session: Session): void;
  readonly relayed: boolean;
  /** The far side cannot tell sessions from each other. */
  readonly isForAdmins: boolean;
  readonly standIn: StandIn | undefined;
}

/** Whose answers say nothing of a file's size and times. */
const WITHOUT_ATTRIBUTES: ReadonlySet<FsMessageName> = new Set<FsMessageName>([
  'read',
  'write',
  'flush',
  'fsync',
  'close',
  'seek',
  'allocate',
  'access',
  'await',
  'statfs',
]);

/** Above this many nodes, what is known of names is dropped, so that unused nodes can go. */
const MAX_NODES = 100_000;

interface Registered {
  readonly ino: bigint;
  readonly node: WeakRef<RemoteNode> | undefined;
  /** Of a live file, of which no node is kept: where its name is. */
  readonly entry: { readonly dir: WeakRef<RemoteDir>; readonly name: string } | undefined;
}

/**
 * The far side's tree as one session sees it, with what is kept of it. Nothing of it is shown to another
 * session.
 */
export class RemoteSession {
  readonly host: RemoteSessionHost;
  readonly sessionId: string | undefined;
  readonly root: RemoteDir;
  /** What was written and is on its way. */
  readonly writes = new UnsettledWrites();
  /** Requests without an answer that may bring attributes. */
  asking = 0;
  /** Rises when nothing that is kept is sure any longer; what is older is asked for again. */
  cacheVersion = 0;
  /** Counts the invalidations; an answer to a request that was sent before one is not kept. */
  sequence = 0;
  /** The last invalidation of a node that we did not know (yet). */
  #unknownSequence = 0;
  readonly #known = new Map<number, Registered>();
  readonly #collected: FinalizationRegistry<{ number: number; generation: number }>;
  #forgotten: number[] = [];
  #session: Session | undefined;
  readonly #origins = new Origins();
  readonly #closing = new ClosingHandles((handles) => this.#close(handles));

  constructor(host: RemoteSessionHost, sessionId: string | undefined, rootIno: bigint) {
    this.host = host;
    this.sessionId = sessionId;
    this.root = new RemoteDir(this, undefined, '', rootIno, 'shared');
    this.#collected = new FinalizationRegistry(({ number, generation }) => this.#forget(number, generation));
  }

  get connected(): boolean {
    return this.host.client !== undefined;
  }
  get generation(): number {
    return this.host.generation;
  }
  get canMakeSpecial(): boolean {
    return this.host.client?.canMakeSpecial ?? false;
  }

  get canMapUsers(): boolean {
    return this.host.client?.canMapUsers ?? false;
  }

  get canAwait(): boolean {
    return this.host.client?.canAwait ?? false;
  }

  get canSeek(): boolean {
    return this.host.client?.canSeek ?? false;
  }
  get maxReadBytes(): number {
    return this.host.client?.maxReadBytes ?? MAX_READ_BYTES;
  }
  get maxWriteBytes(): number {
    return this.host.client?.maxWriteBytes ?? MAX_DATA_BYTES;
  }

  checkCacheUsable(): void {
    this.host.checkCacheUsable();
  }

  /**
   * Relayed: looks at the session of a call before anything that is kept is shown to it. One that is not
   * as it was at the last call is shown nothing older.
   * @throws FsError ESTALE for the session of another view, EACCES for one that the far side cannot tell from others.
   */
  notice(session: Session): void {
    if (this.host.isForAdmins && session.role !== 'admin') throw forAdminsError();
    if (this.#session === session || !this.host.relayed) return;
    if (session.id !== this.sessionId)
      throw new FsError('ESTALE', 'This node was looked up by another session.');
    const before = this.#session;
    this.#session = session;
    if (before !== undefined && textOfSession(before) !== textOfSession(session)) this.dropAll();
  }

  /** @throws FsError as `FsClient.request`, and EHOSTDOWN at once where there is no connection. */
  request<Name extends FsMessageName>(
    name: Name,
    target: RequestTarget,
    payload: FsRequest<Name>,
    op: RequestOp,
    data?: Uint8Array,
    mayWait = false,
    onSpent?: () => void,
    over?: FsClient,
  ): Promise<FsAnswer<Name>> {
    const client = over ?? this.host.client;
    if (client === undefined) return Promise.reject(this.host.awayError());
    let whose = target;
    if (this.host.relayed) {
      try {
        this.notice(op.session);
      } catch (thrown) {
        return Promise.reject(FsError.from(thrown));
      }
      this.host.sendSession(client, op.session);
      whose = { ...target, s: op.session.id };
    }
    const { origin, remoteUid } = op;
    if (mayChange(name, payload)) this.#origins.note(origin);
    if (remoteUid !== undefined && client.canMapUsers) whose = { ...whose, uid: remoteUid };
    const answer = client.request(name, whose, payload, op, data, mayWait, onSpent);
    if (!WITHOUT_ATTRIBUTES.has(name)) {
      this.asking++;
      const answered = (): void => {
        this.asking--;
      };
      answer.then(answered, answered);
    }
    return answer;
  }

  /**
   * Gives a handle back, without waiting: what that reports, nobody can hear any longer, and what is asked
   * next comes after it. A lost connection has closed it. `isIdle`: to give it back changes nothing, and need not come first.
   */
  closeHandle(h: number, generation: number, isIdle = false): void {
    const isNow = generation === this.generation;
    const link = isNow ? this.host.link : this.host.linkOf(generation);
    if (link === undefined) return;
    if (isNow && isIdle && link.canCloseMany) this.#closing.add(h);
    else this.#close([h], link);
  }

  #close([h, ...more]: readonly number[], link = this.host.link): void {
    if (link === undefined || h === undefined) return;
    const target = this.sessionId === undefined ? { h } : { h, s: this.sessionId };
    link.request('close', target, more.length === 0 ? {} : { more }).catch(() => undefined);
  }

  /** Remembers under which number the far side speaks of a node. */
  register(
    number: number,
    ino: bigint,
    node: RemoteNode | undefined,
    {
      dir,
      name,
      generation,
    }: { readonly dir: RemoteDir | undefined; readonly name: string; readonly generation: number },
  ): void {
    // The connection is another one by now: the number means nothing.
    if (generation !== this.generation) return;
    const kept = node === undefined ? undefined : new WeakRef(node);
    const entry = node === undefined && dir !== undefined ? { dir: new WeakRef(dir), name } : undefined;
    this.#known.set(number, { ino, node: kept, entry });
    if (node === undefined) return;
    this.#collected.register(node, { number, generation: this.generation });
    if (this.#known.size > MAX_NODES) {
      this.cacheVersion++;
      this.root.dropChildren();
      this.host.contents.clear();
    }
  }

  /** The file that the far side knows by `number` already, under whichever of its names. */
  sharedFile(number: number, ino: bigint): RemoteNode | undefined {
    const node = this.#known.get(number)?.node?.deref();
    return node?.kind === 'file' && node.freshness === 'shared' && node.ino === ino ? node : undefined;
  }

  /** True if nothing about `nodes` was invalidated since `sequence`. */
  isFresh(sequence: number, ...nodes: readonly (RemoteNode | undefined)[]): boolean {
    if (this.#unknownSequence > sequence) return false;
    return nodes.every((node) => node === undefined || node.invalidSequence <= sequence);
  }

  /** Nothing that is kept is sure any longer. */
  dropAll(): void {
    this.cacheVersion++;
    this.#unknownSequence = ++this.sequence;
  }

  /** The connection is another one: its numbers mean nothing any more. */
  reconnected(): void {
    this.#known.clear();
    this.#forgotten = [];
    this.#closing.forget();
    this.dropAll();
  }

  /** Takes what the far side pushed; answers what that means for those who keep copies of ours. */
  event(frame: AcheronEnvelope): Change | undefined {
    if (frame.type === 'acheron.e_fs_inval_dir') {
      const { dir, name, own } = payloadOf(frame, FS_EVENTS.e_fs_inval_dir.payload);
      return this.#invalidate(dir, 'data', name, own === true);
    }
    const { node, what, tree, own } = payloadOf(frame, FS_EVENTS.e_fs_inval.payload);
    if (node === ROOT_NODE && (tree === true || what === 'all')) {
      this.dropAll();
      return { what: 'all' };
    }
    if (tree === true) return this.#invalidateTree(node);
    return this.#invalidate(node, what === 'attr' ? 'attr' : 'data', undefined, own === true);
  }

  /** `isOwn`: a request of this session's did it. */
  #invalidate(
    number: number,
    what: 'attr' | 'data',
    name: string | undefined,
    isOwn: boolean,
  ): Change | undefined {
    const known = this.#known.get(number);
    const node = number === ROOT_NODE ? this.root : known?.node?.deref();
    const ino = node?.ino ?? known?.ino;
    const only = isOwn ? this.#origins.only : undefined;
    const by = only === undefined ? {} : { by: only };
    // What was written here was taken for changed when that was answered.
    if (isOwn && what === 'data' && node?.kind === 'file') return { what, ino: node.ino, ...by };
    const sequence = ++this.sequence;
    if (ino === undefined) {
      this.#unknownSequence = sequence;
      return undefined;
    }
    node?.invalidate(sequence, what, name);
    if (what === 'data') known?.entry?.dir.deref()?.invalidate(sequence, 'data', known.entry.name);
    return name === undefined ? { what, ino, ...by } : { what: 'entry', ino, name, ...by };
  }

  /** Nothing that is kept of the directory and of what is below it is sure any longer. */
  #invalidateTree(number: number): Change | undefined {
    const sequence = ++this.sequence;
    // An answer that is on its way may be about anything below.
    this.#unknownSequence = sequence;
    const top = this.#known.get(number)?.node?.deref();
    if (top?.kind !== 'dir') return undefined;
    top.treeSequence = sequence;
    const isBelow = (node: RemoteNode): boolean =>
      node === top || (node.parent !== undefined && isBelow(node.parent));
    for (const { node: reference } of this.#known.values()) {
      const node = reference?.deref();
      if (node !== undefined && isBelow(node)) node.invalidate(sequence, 'data', undefined);
    }
    return { what: 'tree', ino: top.ino };
  }

  /** Nodes that nobody holds any longer are given back, many at a time. */
  #forget(number: number, generation: number): void {
    if (generation !== this.generation || this.#known.get(number)?.node?.deref() !== undefined) return;
    this.#known.delete(number);
    this.#forgotten.push(number);
    if (this.#forgotten.length < 256) return;
    const nodes = this.#forgotten;
    this.#forgotten = [];
    const target = this.sessionId === undefined ? {} : { s: this.sessionId };
    // A connection that is lost meanwhile has forgotten them all.
    this.host.link?.request('forget', target, { nodes }).catch(() => undefined);
  }
}
