import {
  startControlPlane,
  type AccessChange,
  type ControlPlane,
  type ControlPlaneOptions,
  type FilesConnection,
  type RuntimeHost,
  type GoingAway,
} from '../control/index.js';
import { BuiltPages } from '../console/index.js';
import { FsError, silentLog, type Log, type LogLevelControl, type Tracer } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  acceptHello,
  exportsOfNode,
  FileLocks,
  serveVfs,
  ServedRuntime,
  type ExportEntry,
  type ServedConnection,
} from '../tunnel/index.js';
import { tracedTree } from '../telemetry/index.js';
import type { DirNode, Op } from '../vfs/index.js';
import { Subtree, World, type WorldOptions } from '../worldfs/index.js';
import {
  PlaneEvents,
  PlaneNodes,
  ProjectsDir,
  controlDir,
  joinLocally,
  type LocalMember,
  type Membership,
} from '../planefs/index.js';
import { PlaneMcp } from './plane-mcp.js';

export interface PlaneOptions extends Omit<
  ControlPlaneOptions,
  'onFiles' | 'onRuntime' | 'onNodeTunnel' | 'onRelay' | 'consolePages' | 'mcpPages'
> {
  /** A node in this same process. */
  readonly local?: LocalMember;
  /** Where calls that pass through it are on record as spans. */
  readonly tracer?: Tracer | null;
  /** Whether it serves the web console, whose pages must have been built. */
  readonly console?: boolean;
  /** What it says that it is. */
  readonly version?: string;
  /** How much the process logs, for admins to change. */
  readonly logLevel?: LogLevelControl;
}

/** A control plane that serves files: to each session its view of all nodes. */
export interface RunningPlane {
  readonly control: ControlPlane;
  readonly url: string;
  /** What every session sees its part of. */
  readonly shown: WorldOptions;
  /** Sends clients elsewhere, as `ControlPlane.drain`. */
  drain(mostMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws FsError as `startControlPlane` */
export async function runPlane(options: PlaneOptions): Promise<RunningPlane> {
  const log = options.log ?? silentLog;
  const hooks: {
    files?: (files: FilesConnection) => void;
    runtime?: RuntimeHost;
    nodes?: PlaneNodes;
    mcp?: PlaneMcp;
  } = {};
  // Both are in place before the event loop can hand us a connection.
  const control = await startControlPlane({
    ...options,
    consolePages: options.console === true ? new BuiltPages() : undefined,
    mcpPages: {
      answer: async (caller, request, response) => hooks.mcp?.answer(caller, request, response),
    },
    onFiles: (files) => hooks.files?.(files),
    onRuntime: (session) => {
      if (hooks.runtime === undefined) throw new FsError('EHOSTDOWN', 'The control plane is starting.');
      return hooks.runtime(session);
    },
    onNodeTunnel: (tunnel) => void hooks.nodes?.attach(tunnel),
    onRelay: (connection) => hooks.nodes?.receiveReplica(connection),
  });
  const { store } = control;
  const membership = joinedOrClosed(control, options.local, log);
  const flush = (): void => membership?.flush();
  const nodes = new PlaneNodes(store, log, options.local);
  const shown: WorldOptions = {
    nodes,
    events: new PlaneEvents(store, flush),
    now: () => store.clock.now(),
    projects: new ProjectsDir(store),
    control: controlDir(store, {
      flush,
      takesNodes: options.takesNodes ?? true,
      fileOf: (nodeId, name) => nodes.adminFile(nodeId, name),
      logLevel: options.logLevel,
    }),
  };
  const { tracer = null } = options;
  const world = tracer === null ? new World(shown) : tracedTree(new World(shown), 'relay', tracer);
  const mounts = new Mounts(nodes);
  const locks = new FileLocks();
  const mcp = new PlaneMcp({
    tree: world,
    version: options.version ?? '',
    log,
    onEnd: (sessionId) => nodes.endSession(sessionId),
  });
  hooks.mcp = mcp;
  hooks.nodes = nodes;
  hooks.runtime = (session) => {
    let held: { readonly id: string; readonly letGo: () => void } | undefined;
    const runtime = new ServedRuntime(world, () => {
      const live = session();
      if (held?.id !== live.id) {
        held?.letGo();
        held = { id: live.id, letGo: mounts.hold(live.id) };
      }
      return currentOf(live);
    });
    return {
      answer: async (request) => {
        await store.ensureView(session().current);
        return runtime.answer(request);
      },
      atPath: async (name, request) => {
        await store.ensureView(session().current);
        return runtime.atPath(name, request);
      },
      end: () => {
        runtime.end();
        held?.letGo();
      },
    };
  };
  hooks.files = ({ transport, session, address, nodeId }) => {
    const sessionOf = (): Session => currentOf(session);
    const tree = nodeId === undefined ? world : new Subtree(world, `/nodes/${nodeId}`);
    const options =
      nodeId === undefined
        ? { sessionOf, catalog: nodes.catalogFor(() => session.current), locks, log }
        : { sessionOf, exportsOf: (op: Op) => exportsOfKnown(nodeId, tree.root, op), locks, log };
    acceptHello(transport)
      .then(async (handshake) => {
        await store.ensureView(session.current);
        return handshake;
      })
      .then(
        (handshake) => mounts.add(session.id, serveVfs(tree, handshake, options)),
        (thrown: unknown) =>
          log.debug('A mount was turned away.', { address, error: FsError.from(thrown).message }),
      );
  };
  control.accessChanges.on(async (change) => {
    if (change === 'all') nodes.setProjects();
    const concerned = store.sessions.live.filter(
      ({ id }) => change === 'all' || change.sessionIds.includes(id),
    );
    nodes.setSessions(concerned.map(({ current }) => current));
    if (store.replicas !== undefined)
      await Promise.all(
        concerned
          .filter(({ current }) => !current.revoked)
          .map(async ({ current }) => store.ensureView(current)),
      );
    mcp.changed(change);
    await mounts.changed(change);
  });
  control.goingAway.on((how) => mounts.goAway(how));
  return {
    control,
    url: control.url,
    shown,
    drain: async (mostMs) => {
      await control.drain(mostMs);
      await nodes.followed();
    },
    close: async () => {
      membership?.end();
      mounts.leave();
      await mcp.close();
      await control.close();
      await mounts.closed();
      await nodes.close();
    },
  };
}

/** @throws FsError EACCES for a session that has ended */
function currentOf({ current }: FilesConnection['session']): Session {
  if (current.revoked)
    throw new FsError('EACCES', 'The token or the session was revoked.', {
      hint: 'Ask an admin for another token, and mount again with it.',
    });
  return current;
}

/** @throws FsError ENOENT where the session sees no such node */
async function exportsOfKnown(nodeId: string, node: DirNode, op: Op): Promise<ExportEntry[]> {
  await node.stat(op);
  return exportsOfNode(nodeId, node, op);
}

/** Nothing is left running where the node cannot be a member. */
function joinedOrClosed(
  control: ControlPlane,
  local: LocalMember | undefined,
  log: Log,
): Membership | undefined {
  try {
    return local === undefined ? undefined : joinLocally(control, local, log);
  } catch (thrown) {
    control.close().catch((failure: unknown) => log.error('It did not close cleanly.', { error: failure }));
    throw thrown;
  }
}

/** The connections over which sessions use the tree. */
class Mounts {
  readonly #nodes: PlaneNodes;
  readonly #served = new Map<string, Set<ServedConnection>>();
  readonly #holds = new Map<string, number>();
  #going: GoingAway | undefined;

  constructor(nodes: PlaneNodes) {
    this.#nodes = nodes;
  }

  add(sessionId: string, served: ServedConnection): void {
    const known = this.#served.get(sessionId) ?? new Set<ServedConnection>();
    this.#served.set(sessionId, known.add(served));
    // It came in before, and was welcomed after everybody was told.
    if (this.#going !== undefined) served.goAway(this.#going);
    void served.closed.then(() => {
      known.delete(served);
      if (known.size > 0) return;
      this.#served.delete(sessionId);
      this.#endUnused(sessionId);
    });
  }

  /** The session uses the tree without a mount. Answers how to end that. */
  hold(sessionId: string): () => void {
    this.#holds.set(sessionId, (this.#holds.get(sessionId) ?? 0) + 1);
    return () => {
      const left = (this.#holds.get(sessionId) ?? 0) - 1;
      if (left > 0) this.#holds.set(sessionId, left);
      else this.#holds.delete(sessionId);
      this.#endUnused(sessionId);
    };
  }

  #endUnused(sessionId: string): void {
    if (!this.#served.has(sessionId) && !this.#holds.has(sessionId)) this.#nodes.endSession(sessionId);
  }

  /** Answers once no mount that is concerned shows anything older. */
  async changed(change: AccessChange): Promise<void> {
    const concerned = [...this.#served].filter(([id]) => change === 'all' || change.sessionIds.includes(id));
    await Promise.all(
      concerned.flatMap(([, connections]) => [...connections].map((served) => served.sessionChanged())),
    );
  }

  goAway(how: GoingAway): void {
    this.#going = how;
    for (const connections of this.#served.values()) for (const served of connections) served.goAway(how);
  }

  /** Those that wait for no answer need not be waited for. */
  leave(): void {
    for (const connections of this.#served.values())
      for (const served of connections) served.leaveIfIdle('The control plane stops.');
  }

  async closed(): Promise<void> {
    await Promise.all([...this.#served.values()].flatMap((known) => [...known].map(({ closed }) => closed)));
  }
}
