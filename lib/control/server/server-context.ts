import type { Clock, Log } from '../../core/index.js';
import type { Awaitable } from '../../vfs/index.js';
import type { ControlEventName, ControlPush } from '../../protocol/index.js';
import { FairTurns } from '../../transport/index.js';
import { SESSION_KEEP_MS } from '../store/session-keeper.js';
import type { AuditLog } from '../store/audit.js';
import type { ControlStore } from '../store/store.js';
import { AccessChanges } from './access-changes.js';
import { Cursors } from './cursors.js';
import { Denials } from './denials.js';
import { FilesSessions } from './files-sessions.js';
import { Drain, type GoingAway } from './drain.js';
import { Housekeeper } from './housekeeper.js';
import { LeaseKeeper } from './lease-keeper.js';
import { LoginThrottle } from './login-throttle.js';
import type { ControlMetrics } from './metrics.js';
import { AuthFailureLog } from './auth-failure-log.js';
import { NodeHomes } from './node-homes.js';
import { OwnRequests } from './own-requests.js';
import { Registrations } from './registrations.js';
import { OrphanKeeper } from './orphan-keeper.js';
import type { RuntimeHost } from './runtime.js';
import { Strangers } from './strangers.js';
import { Tunnels } from './tunnels.js';
import type { WatchCounts } from './watches.js';

export interface PlaneOptions {
  readonly store: ControlStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ControlMetrics;
  readonly limits: PlaneLimits;
  readonly takesNodes: boolean;
  /** Undefined: no files are served by fids. */
  readonly runtime?: RuntimeHost | undefined;
}

export interface PlaneLimits {
  /** A connection that has not said who it is by then is closed. */
  readonly handshakeTimeoutMs: number;
  /** A connection without a token is closed after this, unless its request to join waits. */
  readonly strangerTimeoutMs: number;
  /** A node whose connection was lost is offline after this, unless it comes back. */
  readonly offlineGraceMs: number;
  /** The lease of a node that does not ask for one. */
  readonly leaseTtlMs: number;
  readonly inviteTtlMs: number;
  /** A session that nobody uses is kept for this long. */
  readonly sessionKeepMs: number;
  /** How often what is too old or too much is removed. */
  readonly sweepEveryMs: number;
}

export const DEFAULT_LIMITS: PlaneLimits = {
  handshakeTimeoutMs: 10_000,
  strangerTimeoutMs: 20_000,
  offlineGraceMs: 1_000,
  leaseTtlMs: 60_000,
  inviteTtlMs: 60 * 60 * 1000,
  sessionKeepMs: SESSION_KEEP_MS,
  sweepEveryMs: 60 * 60 * 1000,
};

/** A connection of the control channel, as far as others have to do with it. */
export interface Connection {
  /** The epochs that it took, by node. */
  readonly claims: Map<string, number>;
  /** It goes to another control plane by itself when this one stops. */
  readonly moves: boolean;
  push<Name extends ControlEventName>(name: Name, payload: ControlPush<Name>): void;
  /** Sends its watchers what is new. */
  pump(): void;
  /** This control plane stops. */
  goAway(how: GoingAway): void;
  close(code: number, reason: string): void;
}

/** What all connections of one control plane share. */
export class ServerContext {
  readonly store: ControlStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ControlMetrics;
  readonly limits: PlaneLimits;
  readonly takesNodes: boolean;
  readonly runtime: RuntimeHost | undefined;
  readonly cursors: Cursors;
  readonly throttle: LoginThrottle;
  readonly authFailures: AuthFailureLog;
  readonly denials: Denials;
  readonly tunnels: Tunnels;
  readonly leases: LeaseKeeper;
  readonly accessChanges: AccessChanges;
  readonly registrations: Registrations;
  readonly homes: NodeHomes;
  readonly strangers: Strangers;
  readonly filesSessions: FilesSessions;
  readonly ownRequests = new OwnRequests();
  readonly turns = new FairTurns();
  readonly drain: Drain;
  readonly connections = new Set<Connection>();
  /** Those that watch. */
  readonly watching = new Set<Connection>();
  readonly watchCounts: WatchCounts = new Map();
  /** By node, those that hold its epoch or held one. */
  readonly #holders = new Map<string, Set<Connection>>();
  readonly #housekeeper: Housekeeper;
  readonly #orphans: OrphanKeeper | undefined;

  constructor({ store, clock, log, metrics, limits, takesNodes, runtime }: PlaneOptions) {
    this.store = store;
    this.clock = clock;
    this.log = log;
    this.metrics = metrics;
    this.limits = limits;
    this.takesNodes = takesNodes;
    this.runtime = runtime;
    this.cursors = new Cursors(store.keys.cursor);
    this.registrations = new Registrations(clock);
    this.homes = new NodeHomes(store.nodes);
    this.drain = new Drain(clock, log);
    this.drain.begun.on((how) => {
      for (const connection of [...this.connections]) connection.goAway(how);
      this.tunnels.goAway(how, (nodeId) => this.holderOf(nodeId)?.moves === true);
    });
    this.strangers = new Strangers(clock, this.homes);
    this.filesSessions = new FilesSessions(store);
    this.throttle = new LoginThrottle(clock);
    const audit: Pick<AuditLog, 'record'> = {
      record: (facts) => store.later(() => store.audit.record(facts)),
    };
    this.authFailures = new AuthFailureLog(audit, clock, log);
    this.denials = new Denials(audit, clock, log);
    this.tunnels = new Tunnels(store.nodes, log);
    this.leases = new LeaseKeeper(store, clock, log);
    this.accessChanges = new AccessChanges(store, log);
    const tidy = (): Awaitable<boolean> =>
      store.act(() => {
        store.sessions.sweep(limits.sessionKeepMs);
        store.history.sweep();
        if (store.replicas !== undefined) store.userEvents.forgetUnused();
        return store.audit.sweep();
      });
    this.#housekeeper = new Housekeeper(tidy, { clock, log, everyMs: limits.sweepEveryMs });
    let pumping = false;
    const pump = (): void => {
      if (pumping) return;
      pumping = true;
      // After the writer was answered: a thousand watchers do not make it wait.
      setImmediate(() => {
        pumping = false;
        for (const connection of this.watching) connection.pump();
      });
    };
    store.events.appended.on(pump);
    store.userEvents.appended.on(pump);
    const { replicas } = store;
    if (replicas === undefined) return;
    store.nodes.changed.on((nodeId) => this.#mayHaveMoved(nodeId));
    replicas.replica.settle = () => this.accessChanges.since(0);
    this.#orphans = new OrphanKeeper(store, replicas, { clock, log, graceMs: limits.offlineGraceMs });
  }

  /** This replica takes part from now on. */
  started(): void {
    this.#orphans?.review();
  }

  /** Another replica took the node over: who had it here is notified, as where both are connections of one process. */
  #mayHaveMoved(nodeId: string): void {
    const node = this.store.nodes.get(nodeId);
    const { selfId } = this.store.replicas?.membership ?? {};
    if (node === undefined || node.replica === null || node.replica === selfId) return;
    this.leases.returned(nodeId);
    const { epoch, holder } = node;
    for (const connection of this.#holders.get(nodeId) ?? []) {
      if (connection.claims.get(nodeId) !== epoch - 1 || holder === null) continue;
      connection.push('node_superseded', { node_id: nodeId, epoch, successor: holder });
    }
    this.tunnels.leave(nodeId);
  }

  /** The connection that holds the node's current epoch, if one is open. */
  holderOf(nodeId: string): Connection | undefined {
    const epoch = this.store.nodes.get(nodeId)?.epoch;
    if (epoch === undefined) return undefined;
    for (const connection of this.#holders.get(nodeId) ?? [])
      if (connection.claims.get(nodeId) === epoch) return connection;
    return undefined;
  }

  /** The connection holds this epoch of the node from now on. Returns the other one that held the epoch before it, if any. */
  claim(connection: Connection, nodeId: string, epoch: number): Connection | undefined {
    const own = connection.claims.get(nodeId);
    if (own === epoch) return undefined;
    connection.claims.set(nodeId, epoch);
    const holders = this.#holders.get(nodeId) ?? new Set();
    this.#holders.set(nodeId, holders);
    const before = [...holders].find(
      (other) => other !== connection && other.claims.get(nodeId) === epoch - 1,
    );
    if (this.connections.has(connection)) holders.add(connection);
    else this.#lost(connection, nodeId, epoch);
    return before;
  }

  /** The connection is gone, with all that it held. */
  release(connection: Connection): void {
    this.connections.delete(connection);
    this.watching.delete(connection);
    this.registrations.leave(connection);
    for (const [nodeId, epoch] of connection.claims) this.#lost(connection, nodeId, epoch);
  }

  /** How many connections use the session. */
  connectionsOf(sessionId: string): number {
    return this.store.sessions.usersOf(sessionId);
  }

  #lost(connection: Connection, nodeId: string, epoch: number): void {
    const holders = this.#holders.get(nodeId);
    holders?.delete(connection);
    if (holders?.size === 0) this.#holders.delete(nodeId);
    if (this.store.nodes.get(nodeId)?.epoch === epoch) this.leases.lost(nodeId, this.limits.offlineGraceMs);
  }

  close(): void {
    this.#housekeeper.close();
    this.leases.close();
    this.#orphans?.close();
    this.registrations.close();
    this.authFailures.close();
    this.denials.close();
    this.tunnels.close();
    for (const connection of [...this.connections]) connection.close(1001, 'The control plane stops.');
  }
}
