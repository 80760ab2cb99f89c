import { UndoStack, silentLog, systemClock, type Clock, type Emitter, type Log } from '../core/index.js';
import { stateFailure } from '../disk/index.js';
import { attachInProcessNode, type InProcessNode, type InProcessNodeFacts } from './in-process-node.js';
import type { AccessChanges } from './server/access-changes.js';
import { consoleAddress } from './client/console-address.js';
import type { ConsolePages } from './server/console-door.js';
import type { FilesConnection } from './server/files-connection.js';
import type { GoingAway } from './server/drain.js';
import type { RelayConnection } from './relay-replicas.js';
import type { McpPages } from './server/mcp-door.js';
import type { RuntimeHost } from './server/runtime.js';
import { Listener } from './server/listener.js';
import type { TlsFiles } from './server/tls-files.js';
import { ControlMetrics } from './server/metrics.js';
import { DEFAULT_LIMITS, ServerContext, type PlaneLimits } from './server/server-context.js';
import type { NodeTunnel, Tunnels } from './server/tunnels.js';
import { PostgresLog, type StoreAddress } from '../cluster/index.js';
import type { AuditRetention } from './store/audit-sweep.js';
import type { Retention } from './store/events.js';
import type { HistoryRetention } from './store/history/history-retention.js';
import { LineageFile } from './store/replica/lineage-file.js';
import { openShared } from './store/replica/open-shared.js';
import { SnapshotKeeper } from './store/replica/snapshot-keeper.js';
import { ControlStore, type SharedState } from './store/store.js';

export interface ControlPlaneOptions {
  readonly stateDir: string;
  /** One log for several control planes; undefined: this is the only one, and its database is in `stateDir`. */
  readonly shared?: SharedStore | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 18790; 0 picks one. */
  readonly port?: number;
  /** A socket that listens already, in place of both: a service manager opened it. */
  readonly descriptor?: number | undefined;
  readonly tls?: TlsFiles | undefined;
  readonly insecure?: boolean;
  readonly allowOrigins?: readonly string[];
  readonly allowHosts?: readonly string[];
  readonly retention?: Partial<Retention>;
  readonly auditRetention?: Partial<AuditRetention>;
  readonly historyRetention?: Partial<HistoryRetention>;
  readonly limits?: Partial<PlaneLimits>;
  /** Whether nodes may pair with it, as they do by default; one that stands for a single node takes no others. */
  readonly takesNodes?: boolean;
  /** Serves the files of a session on this connection: the composition root knows the tree. */
  readonly onFiles?: (files: FilesConnection) => void;
  /** Serves the files of a session by fids, on its control connection. */
  readonly onRuntime?: RuntimeHost;
  /** Another replica wants to reach nodes that are connected here. */
  readonly onRelay?: (connection: RelayConnection) => void;
  /** The web console's files; without them there is none. */
  readonly consolePages?: ConsolePages | undefined;
  /** What answers at `/mcp`; without it there is nothing. */
  readonly mcpPages?: McpPages | undefined;
  /** A node opened its tunnel. */
  readonly onNodeTunnel?: (tunnel: NodeTunnel) => void;
  readonly log?: Log;
  readonly clock?: Clock;
}

export interface ControlPlane {
  /** `ws://127.0.0.1:18790`; files are under `/v2/fs`. */
  readonly url: string;
  readonly port: number;
  readonly store: ControlStore;
  readonly tunnels: Tunnels;
  readonly metrics: ControlMetrics;
  /** Whether the node's lease and its connection say that it is there. */
  isOnline(nodeId: string): boolean;
  /**
   * A server of files is notified of each change of rights, and may hold back the answer to the change with
   * a promise, until no mount shows anything older.
   */
  readonly accessChanges: AccessChanges;
  /** Makes a node of this same process known; it needs no secrets and no socket. */
  attachInProcessNode(facts: InProcessNodeFacts): InProcessNode;
  /** The address of the web console with a code that opens it as an admin, once and within a minute. Null: there is none. */
  consoleLink(): Promise<string | null>;
  /**
   * New connections get this certificate; those that are there stay.
   * @throws FsError EINVAL where it is none, or there was none at the start
   */
  replaceTls(tls: TlsFiles): void;
  /**
   * Takes no new connections, sends clients to the other control planes that they know, and answers when they have gone and
   * what was under way is answered, or after `mostMs`. `close` follows.
   */
  drain(mostMs?: number): Promise<void>;
  /** At the beginning of that: who serves files tells its clients. */
  readonly goingAway: Emitter<GoingAway>;
  close(): Promise<void>;
}

/** Where several control planes have their log. */
export interface SharedStore {
  readonly address: StoreAddress;
  readonly password: string | undefined;
  readonly version: string;
  /** Where others reach this one; where it listens, if undefined. */
  readonly advertise?: string | undefined;
}

export const DEFAULT_PORT = 18_790;

/**
 * Opens the store, listens, and serves until closed.
 * @throws FsError EBUSY (port or state in use), EACCES (not loopback and no TLS), EINVAL (newer state)
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const undo = new UndoStack();
  try {
    return await startWith(options, undo);
  } catch (thrown) {
    const { log = silentLog } = options;
    await undo.undoAfterFailure((failure) =>
      log.warn('a control plane that did not start was not undone cleanly', { error: failure }),
    );
    throw stateFailure(thrown, options.stateDir);
  }
}

async function startWith(options: ControlPlaneOptions, undo: UndoStack): Promise<ControlPlane> {
  const { stateDir, clock = systemClock, log = silentLog } = options;
  const { retention = {}, auditRetention = {}, historyRetention = {} } = options;
  const shared = await openSharedStore(options, undo);
  const store = new ControlStore(
    { stateDir, clock, log, retention, auditRetention, historyRetention },
    shared,
  );
  undo.add(() => store.close());
  if (shared === undefined) setLocalNodesOffline(store);
  const metrics = new ControlMetrics(store);
  const context = new ServerContext({
    store,
    clock,
    log,
    metrics,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    takesNodes: options.takesNodes ?? true,
    runtime: options.onRuntime,
  });
  undo.add(() => context.close());
  if (options.onNodeTunnel !== undefined) context.tunnels.opened.on(options.onNodeTunnel);
  const listener = new Listener(context, {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? DEFAULT_PORT,
    descriptor: options.descriptor,
    tls: options.tls,
    insecure: options.insecure ?? false,
    allowOrigins: options.allowOrigins ?? [],
    allowHosts: options.allowHosts ?? [],
    onFiles: options.onFiles,
    onRelay: options.onRelay,
    consolePages: options.consolePages,
    mcpPages: options.mcpPages,
  });
  const where = await listener.listen();
  let beforeLeaving = (): Promise<void> => Promise.resolve();
  if (shared !== undefined) {
    undo.add(() => store.leave());
    await store.start(options.shared?.advertise ?? where.url);
    const snapshots = new SnapshotKeeper(shared.replica, { stateDir, log });
    undo.add(() => snapshots.close());
    beforeLeaving = () => snapshots.close();
    store.later(() => setLocalNodesOffline(store));
    context.started();
  }
  log.info('the control plane listens', { url: where.url });
  let closing: Promise<void> | undefined;
  return {
    ...where,
    store,
    tunnels: context.tunnels,
    metrics,
    accessChanges: context.accessChanges,
    isOnline: (nodeId) => store.nodes.get(nodeId)?.online === true,
    attachInProcessNode: (facts) => attachInProcessNode(store, facts),
    consoleLink: async () => {
      const admin = store.tokens
        .list()
        .find(({ role, revokedAtMs }) => role === 'admin' && revokedAtMs === null);
      if (options.consolePages === undefined || admin === undefined) return null;
      const asker = { tokenId: admin.tokenId, sessionId: null, maxRole: 'admin' } as const;
      const { code } = await store.actLightly(() => store.consoleLinks.create(asker));
      return consoleAddress(where.url, code);
    },
    replaceTls: (tls) => listener.replaceTls(tls),
    goingAway: context.drain.begun,
    drain: (mostMs) =>
      context.drain.run(
        'the control plane is about to stop',
        context.connections.size + context.tunnels.size,
        mostMs,
      ),
    close: () =>
      (closing ??= (async () => {
        context.close();
        await listener.close();
        await beforeLeaving();
        await store.leave();
        store.close();
      })()),
  };
}

async function openSharedStore(
  { shared, stateDir, clock = systemClock, log = silentLog }: ControlPlaneOptions,
  undo: UndoStack,
): Promise<SharedState | undefined> {
  if (shared === undefined) return undefined;
  const { address, password, version } = shared;
  const lineage = new LineageFile(stateDir, log);
  const engine = await PostgresLog.open({ address, password, log, lineage });
  undo.add(() => engine.close());
  return openShared(engine, { stateDir, version, clock, textLog: log });
}

/** A node of this process, or of one that was here before, is not there until it says so. */
function setLocalNodesOffline({ nodes }: ControlStore): void {
  for (const { nodeId, online, leaseExpiresAtMs } of nodes.list())
    if (online && leaseExpiresAtMs === null) nodes.setOffline(nodeId, 'restart');
}
