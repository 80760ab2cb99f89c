import {
  Emitter,
  FsError,
  silentLog,
  systemClock,
  type Clock,
  type Log,
  type Unsubscribe,
} from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  payloadOf,
  FS_EVENTS,
  ProtocolFault,
  type AcheronEnvelope,
  type CatalogNews,
  type FsReply,
  type FsRequest,
} from '../../protocol/index.js';
import { newIno, PeerInos, type Change, type DirNode, type Vfs } from '../../vfs/index.js';
import { ContentCache } from './content-cache.js';
import { FsClient } from './fs-client.js';
import type { Handshake } from '../wire/handshake.js';
import { ListingBudget, type ListingLimits } from './listing-budget.js';
import { RelayRoot } from './relay-root.js';
import { RemoteSession, type RemoteSessionHost } from './remote-session.js';
import type { StandIn } from './stand-in.js';
import { lostError } from '../wire/tunnel-errors.js';
import { textOfSession, wireFromSession } from '../wire/wire-session.js';

export interface RemoteVfsOptions {
  /**
   * True: we are a control plane and speak for many sessions; each request carries the one of its `Op`,
   * and what is kept is kept for each apart. False: the connection is one session, whatever an `Op` says.
   */
  readonly relayed?: boolean;
  /** The inode number of what has one here already, by the names that lead to it: the far side's word does not count. */
  readonly inoAt?: (names: readonly string[]) => bigint | undefined;
  /**
   * Called before a readlink of the far side is answered, with the link's path below the root and its target;
   * what it throws is the answer in its place. Absent: each link may be read.
   */
  readonly linkRule?: (names: readonly string[], target: string) => void;
  /** How long attributes of `shared` files are taken for true. Default 1000. */
  readonly sharedMs?: number;
  /** How long what is kept may be shown while the far side is away. Default 10 minutes. */
  readonly offlineMs?: number;
  /** How often a peer that owes answers is looked after; what it may take is reckoned in looks. Default 250. */
  readonly lookMs?: number;
  readonly listingLimits?: ListingLimits;
  /** How much content of documents is kept. Default 32 MiB. */
  readonly maxCachedBytes?: number;
  /**
   * How long a request waits for the next connection where one was just lost; default 0. For who has other servers to go
   * to. What only reads is then asked again, once, where the connection was lost before its answer.
   */
  readonly patienceMs?: number;
  /** Why the far side cannot be asked, for those who ask while it is away. */
  readonly awayError?: () => FsError;
  /** What is shown in place of what is not kept, while the far side is away. */
  readonly standIn?: StandIn;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Of what lies deeper than so many names, the far side alone knows. */
const MOST_NAMES = 4;

export type RemoteState = 'attached' | 'detached';

/**
 * The tree at the far side of a connection. Connections come and go (`attach`); nodes live on and are found
 * again by their path. While there is none, what is kept of documents and listings can be read for a
 * while, and everything else fails with EHOSTDOWN at once. No request is ever sent twice.
 */
export class RemoteVfs implements Vfs, RemoteSessionHost {
  readonly listsAttributes = true;
  readonly root: DirNode;
  readonly changes = new Emitter<Change>();
  /** One event for each attach and each loss. */
  readonly states = new Emitter<RemoteState>();
  /** Nothing that the far side has said is sure any longer, since rights may be others. */
  readonly doubts = new Emitter<void>();
  /** The far side is about to stop: another server is to be gone to, within that time. */
  readonly goingAway = new Emitter<{ readonly withinMs: number | undefined }>();
  /** The far side's catalog says something else of these nodes. */
  readonly catalogChanges = new Emitter<readonly CatalogNews[]>();
  readonly relayed: boolean;
  readonly standIn: StandIn | undefined;
  readonly sharedMs: number;
  readonly linkRule: RemoteVfsOptions['linkRule'];
  readonly awayError: () => FsError;
  readonly contents: ContentCache;
  readonly listings: ListingBudget;
  generation = 0;
  patienceMs: number;
  isForAdmins = false;
  readonly #offlineMs: number;
  readonly #lookMs: number | undefined;
  readonly #inoAt: RemoteVfsOptions['inoAt'];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rootIno = newIno();
  readonly #sessions = new Map<string, RemoteSession>();
  /** The sessions as the far side knows them. */
  readonly #sent = new Map<string, Session>();
  #nodeProjects: readonly string[] | undefined;
  #client: FsClient | undefined;
  /** Connections in whose place another came, by generation, while something needs them. */
  readonly #retired = new Map<number, FsClient>();
  #lostAtMs = -Infinity;
  #instance: string | undefined;
  readonly #inos = new PeerInos();
  /** Since when something else may be true than is shown, at the longest. */
  #awaySinceMs: number | undefined;
  #stopExpiry: Unsubscribe | undefined;
  #closed = false;

  constructor(options: RemoteVfsOptions = {}) {
    this.relayed = options.relayed ?? false;
    this.sharedMs = options.sharedMs ?? 1000;
    this.linkRule = options.linkRule;
    this.awayError = options.awayError ?? lostError;
    this.standIn = options.standIn;
    this.#inoAt = options.inoAt;
    this.patienceMs = options.patienceMs ?? 0;
    this.#offlineMs = options.offlineMs ?? 600_000;
    this.#lookMs = options.lookMs;
    this.listings = new ListingBudget(options.listingLimits);
    this.contents = new ContentCache(options.maxCachedBytes ?? 32 * 1024 * 1024);
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.root = this.relayed
      ? new RelayRoot(this.#rootIno, (op) => this.#viewOf(op.session.id).root)
      : this.#viewOf('').root;
  }

  /** The connection, while the far side can be asked. */
  get client(): FsClient | undefined {
    const { link } = this;
    return link?.silent === true ? undefined : link;
  }

  /** The connection, though the far side may be silent: what is sent then arrives in order. */
  get link(): FsClient | undefined {
    return this.#client?.open === true ? this.#client : undefined;
  }

  get state(): RemoteState {
    return this.client === undefined ? 'detached' : 'attached';
  }

  /** The connection of that generation, though another came in its place, while it can be asked. */
  linkOf(generation: number): FsClient | undefined {
    const retired = this.#retired.get(generation);
    if (retired === undefined) return generation === this.generation ? this.client : undefined;
    return retired.open && !retired.silent ? retired : undefined;
  }

  /** Asks nothing more over the present connection, which ends once all is answered; requests wait for the next one. */
  leaveConnection(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    this.#lostAtMs = performance.now();
    this.#retired.set(this.generation, client);
    client.retire(false);
    this.#away();
  }

  /** It is about to come: from now on requests wait for it as if it had just been lost. */
  expect(): void {
    if (this.client === undefined) this.#lostAtMs = performance.now();
  }

  /** It was lost a moment ago, and requests wait for it. */
  get isExpected(): boolean {
    return this.client === undefined && !this.#closed && this.#patienceLeftMs > 0;
  }

  get #patienceLeftMs(): number {
    return this.patienceMs - (performance.now() - this.#lostAtMs);
  }

  /** Answers once the far side can be asked. @throws FsError EHOSTDOWN, the caller's reason */
  async whenConnected(signal?: AbortSignal): Promise<void> {
    if (this.client !== undefined) return;
    const leftMs = this.#patienceLeftMs;
    if (leftMs <= 0 || this.#closed) throw this.awayError();
    await new Promise<void>((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer);
        stop();
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const timer = setTimeout(() => end(() => reject(this.awayError())), leftMs);
      const onAbort = (): void => end(() => reject(FsError.from(signal?.reason)));
      const stop = this.states.on((state) => {
        if (state === 'attached') end(resolve);
      });
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * Uses a connection from now on; one that was used before is closed once it has answered what it was asked, and what was
   * opened over it for writing is closed. `isSilent`: nothing is heard of that one. Who only reads
   * asks again then, as where requests wait for the next connection.
   */
  attach(handshake: Handshake, { isSilent = false }: { readonly isSilent?: boolean } = {}): void {
    const before = this.#client;
    const beforeGeneration = this.generation;
    if (handshake.instance === undefined || handshake.instance !== this.#instance) {
      this.#instance = handshake.instance;
      this.#inos.useInstance(handshake.instance ?? `${this.generation}`);
    }
    this.generation++;
    this.isForAdmins = this.relayed && handshake.port.dialect !== undefined;
    this.#sent.clear();
    const client: FsClient = new FsClient(
      handshake,
      {
        onEvent: (frame) => this.#event(client, frame),
        onClose: () => this.#lost(client),
        onSilence: (isSilent) => this.#turned(client, isSilent),
      },
      { lookMs: this.#lookMs, generation: this.generation },
    );
    this.#client = client;
    if (before?.open === true) this.#retired.set(beforeGeneration, before);
    before?.retire(isSilent || this.patienceMs > 0);
    if (this.#closed) client.close();
    for (const remote of this.#sessions.values()) remote.reconnected();
    client.listen();
    if (this.#nodeProjects !== undefined) this.setNodeProjects(this.#nodeProjects);
    this.states.emit('attached');
    this.changes.emit({ what: 'all' });
  }

  /** Asks for a page of the far side's catalog. @throws FsError as `FsClient.request`, EOPNOTSUPP or ENOSYS where it has none */
  async askCatalog(request: FsRequest<'catalog'>): Promise<FsReply<'catalog'>> {
    if (this.client === undefined) throw lostError();
    return (await this.client.request('catalog', {}, request)).payload;
  }

  /** Relayed: the session is as `session` says from now on, for what it has open too. */
  setSession(session: Session): void {
    const { link } = this;
    if (link !== undefined && this.#sent.has(session.id)) this.sendSession(link, session);
    for (const retired of this.#retired.values())
      retired.notify('acheron.e_session', { session: wireFromSession(session) });
  }

  /** Relayed: the session is over; what it has open at the far side is closed. */
  endSession(id: string): void {
    this.#sessions.delete(id);
    if (this.#sent.delete(id)) this.link?.notify('acheron.e_session_end', { id });
    for (const retired of this.#retired.values()) retired.notify('acheron.e_session_end', { id });
  }

  /** Shows nothing of what is kept: the far side was asked who we are, and does not know us. */
  forget(): void {
    for (const remote of this.#sessions.values()) remote.dropAll();
    this.doubts.emit();
    this.changes.emit({ what: 'all' });
  }

  /** Relayed: sends the node which projects name it; nothing older is shown from now on. */
  setNodeProjects(projects: readonly string[]): void {
    this.#nodeProjects = projects;
    for (const remote of this.#sessions.values()) remote.dropAll();
    this.link?.notify('acheron.e_node_facts', { node_projects: [...projects] });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopExpiry?.();
    this.#client?.close();
    for (const retired of this.#retired.values()) retired.close();
  }

  checkCacheUsable(): void {
    // A connection that is closing is not lost before it is closed.
    if (this.#client?.silent === false) return;
    if (this.#clock.now() - (this.#awaySinceMs ?? -Infinity) > this.#offlineMs) throw this.awayError();
  }

  inoAt(depth: number, names: () => readonly string[]): bigint | undefined {
    if (this.#inoAt === undefined || depth >= MOST_NAMES) return undefined;
    return this.#inoAt(names());
  }

  inoFrom(wire: string | undefined): bigint {
    return wire === undefined ? newIno() : this.#inos.inoOf(BigInt(wire));
  }

  sendSession(client: FsClient, session: Session): void {
    // Who has something open at one that is left is known there.
    if (client !== this.#client) return;
    const sent = this.#sent.get(session.id);
    if (sent === session) return;
    this.#sent.set(session.id, session);
    if (sent !== undefined && textOfSession(sent) === textOfSession(session)) return;
    client.notify('acheron.e_session', { session: wireFromSession(session) });
  }

  #viewOf(id: string): RemoteSession {
    let remote = this.#sessions.get(id);
    if (remote === undefined) {
      remote = new RemoteSession(this, this.relayed ? id : undefined, this.#rootIno);
      this.#sessions.set(id, remote);
    }
    return remote;
  }

  #event(client: FsClient, frame: AcheronEnvelope): void {
    try {
      if (frame.type === 'acheron.e_going_away') {
        const { within_ms: withinMs } = payloadOf(frame, FS_EVENTS.e_going_away.payload);
        if (client === this.#client) this.goingAway.emit({ withinMs });
        return;
      }
      if (client !== this.#client) {
        this.#eventOfRetired(client, frame);
        return;
      }
      if (frame.type === 'acheron.e_fs_catalog') {
        this.catalogChanges.emit(payloadOf(frame, FS_EVENTS.e_fs_catalog.payload).nodes);
        return;
      }
      if (frame.type !== 'acheron.e_fs_inval' && frame.type !== 'acheron.e_fs_inval_dir') return;
      const views = frame.s === undefined ? [...this.#sessions.values()] : [this.#sessions.get(frame.s)];
      let change: Change | undefined;
      for (const remote of views) change = remote?.event(frame) ?? change;
      if (change?.what === 'all') this.doubts.emit();
      if (change !== undefined) this.changes.emit(change);
      if (frame.type !== 'acheron.e_fs_inval') return;
      const { sync } = payloadOf(frame, FS_EVENTS.e_fs_inval.payload);
      if (sync !== undefined) client.notify('acheron.e_fs_synced', { sync });
    } catch (thrown) {
      if (!(thrown instanceof ProtocolFault)) throw thrown;
      this.#log.warn('The far side pushed what cannot be understood.', { type: frame.type });
      this.forget();
    }
  }

  /** Its numbers are no longer ours; only that rights are others is to be heeded. */
  #eventOfRetired(client: FsClient, frame: AcheronEnvelope): void {
    if (frame.type !== 'acheron.e_fs_inval') return;
    const { sync } = payloadOf(frame, FS_EVENTS.e_fs_inval.payload);
    if (sync === undefined) return;
    this.forget();
    client.notify('acheron.e_fs_synced', { sync });
  }

  #lost(client: FsClient): void {
    for (const [generation, retired] of this.#retired)
      if (retired === client) this.#retired.delete(generation);
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#lostAtMs = performance.now();
    if (!client.silent) this.#away();
  }

  #turned(client: FsClient, isSilent: boolean): void {
    if (this.#client !== client || !client.open) return;
    if (isSilent) {
      this.#log.warn('The far side is silent.', {});
      this.#lostAtMs = performance.now();
      this.#away();
      return;
    }
    this.states.emit('attached');
    this.changes.emit({ what: 'all' });
  }

  #away(): void {
    const now = this.#clock.now();
    if (this.standIn?.isBehind !== true) this.#awaySinceMs = undefined;
    this.#awaySinceMs ??= now;
    // A client that keeps copies of what is shown is notified that it ends.
    this.#stopExpiry?.();
    const leftMs = Math.max(0, this.#awaySinceMs + this.#offlineMs + 1 - now);
    this.#stopExpiry = this.#clock.after(leftMs, () => {
      if (this.client === undefined) this.changes.emit({ what: 'all' });
    });
    this.states.emit('detached');
    this.changes.emit({ what: 'all' });
  }
}
