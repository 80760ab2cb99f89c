import { setTimeout as delay } from 'node:timers/promises';
import { UndoStack, type JsonObject, type Log, type Tracer } from '../core/index.js';
import type { NewPrivileges } from '../drivers/index.js';
import { keepSetIdTools, type Mount } from '../fuse/index.js';
import { runNode, type RunningNode } from '../compose/index.js';
import { localControlDir, serveLocally } from '../node/index.js';
import { tracedTree, type Telemetry } from '../telemetry/index.js';
import type { Vfs } from '../vfs/index.js';
import { World } from '../worldfs/index.js';
import { reportReady } from './background.js';
import { answerHealth, type HealthFlags } from './health-options.js';
import { isFailedClose, mountTree, sessionFromFlags, type MountFlags } from './mount-options.js';
import { listenForClients, listenerDir, type NodeListenFlags, type NodeListener } from './node-listener.js';
import { localNodeOptions, stateFileOf, type NodeFlags } from './node-options.js';
import { warnOfMisplacedManifests } from './misplaced-manifests.js';
import { logLevel } from './process-log.js';
import { reloadOnHangUp } from './reload.js';
import { socketPath } from './socket-path.js';
import { allowLongerStop, goOnUnlessStopped, stopAsked } from './stop-asked.js';
import { telemetryFor } from './telemetry.js';

export type StandaloneFlags = NodeFlags & MountFlags & NodeListenFlags & HealthFlags;

export interface Standalone {
  readonly nodeId: string;
  readonly servicesDirs: readonly string[];
  /** Where to mount; null: nowhere. */
  readonly dir: string | null;
  /** What the mount is called in the table of mounts. */
  readonly mountName: string;
  readonly log: Log;
  /** What to say when it is ready; null: what runs beside it says so, and must. */
  readonly ready: (is: Ready) => readonly string[] | null;
  /** What runs beside it from when it is ready on; it answers how to end it. It must not fail. */
  readonly beside?: (node: RunningNode, world: World, stopping: AbortSignal) => Promise<() => Promise<void>>;
}

export interface Ready {
  readonly nodeId: string;
  /** The mount point as the kernel names it. */
  readonly dir: string | null;
  /** Where it listens for clients of its own. */
  readonly listensAt: { readonly url: string; readonly stateDir: string } | null;
}

/** What connects a node to a control plane. */
export interface ControlPlaneLink {
  /** Resolves when the node is to stop. */
  readonly stop: Promise<string>;
  /** What is read again at SIGHUP. */
  reload(): void;
  /** Makes the running node known. The caller holds the lock of the state. */
  attach(node: RunningNode): Promise<void>;
}

/**
 * Runs a node with a mount of its own until it is stopped or unmounted; without a link it knows no other.
 * Whatever fails or ends it, all that it began is undone when this returns.
 */
export async function runStandalone(
  flags: StandaloneFlags,
  standalone: Standalone,
  link: ControlPlaneLink | null = null,
): Promise<void> {
  const undo = new UndoStack();
  const stop = link?.stop ?? stopAsked();
  reloadOnHangUp(standalone.log, () => link?.reload());
  allowLongerStop(flags.stopGraceMs);
  let reason: unknown;
  try {
    const { telemetry, log, tracer } = await telemetryFor('node', standalone.nodeId, standalone.log);
    undo.add(() => telemetry?.close());
    const { node, mount } = await start(flags, { ...standalone, log }, { link, undo, telemetry, tracer });
    reason = await (mount === null ? stop : Promise.race([stop, mount.closed]));
    // Where the mount is gone, nobody reads what would come of them.
    if (typeof reason === 'string' && flags.stopGraceMs > 0) await callsEnded(node, flags.stopGraceMs);
  } catch (thrown) {
    await undo.undoAfterFailure((failure) =>
      standalone.log.warn('What was begun was not undone cleanly.', { error: failure }),
    );
    throw thrown;
  }
  await undo.undo();
  if (isFailedClose(reason)) throw reason.error;
}

/** Callers get so long (ms) to read what came of their calls. */
const READ_MS = 500;

/** Waits until the calls that run have ended and can have been read, but no longer than `mostMs`. */
async function callsEnded(node: RunningNode, mostMs: number): Promise<void> {
  const late = delay(mostMs, undefined, { ref: false });
  await Promise.race([node.drain().then(() => delay(READ_MS)), late]);
}

interface Begun {
  readonly telemetry: Telemetry | null;
  readonly tracer: Tracer | null;
  readonly link: ControlPlaneLink | null;
  readonly undo: UndoStack;
}

/** Each step adds to `undo` how it is undone. */
async function start(
  flags: StandaloneFlags,
  standalone: Standalone,
  { link, undo, telemetry, tracer }: Begun,
): Promise<{ readonly node: RunningNode; readonly mount: Mount | null }> {
  const { nodeId, servicesDirs, log } = standalone;
  warnOfMisplacedManifests(flags.servicesDir ?? [], log);
  const node = await runNode({
    ...localNodeOptions(flags, { nodeId, servicesDirs, mountDir: standalone.dir, log }),
    stateIsLocked: link !== null,
    tracer,
    holdsAhead: true,
    newPrivileges: newPrivilegesFor(flags, standalone.dir),
  });
  undo.add(() => node.close());
  goOnUnlessStopped();
  await link?.attach(node);
  const session = sessionFromFlags(flags);
  const running: { mount?: Mount | null; beside?: Promise<() => Promise<void>> | undefined } = {};
  const world = new World({
    nodes: node,
    events: node.events,
    now: () => Date.now(),
    extendedAttributes: (flags.export ?? []).length > 0 || standalone.beside !== undefined,
    control: localControlDir({
      nodeId,
      audit: node.audit,
      diagnostics: () => node.registry.diagnostics(),
      reloads: node.reloads,
      plan: node.plan,
      metrics: node.metricsFile,
      mount: () => mountFacts(running.mount ?? null, flags),
      logLevel,
    }),
  });
  const stopping = new AbortController();
  telemetry?.measure(() => node.metrics(true));
  const health = await answerHealth(
    flags,
    {
      notReady: () =>
        running.mount === undefined ? 'it starts' : stopping.signal.aborted ? 'it stops' : null,
      metrics: (named) => node.metrics(named),
    },
    log,
  );
  undo.add(() => health?.close());
  const traced = (what: string): Vfs => (tracer === null ? world : tracedTree(world, what, tracer));
  const socket = await serveLocally(
    traced('local'),
    socketPath(flags.stateDir, flags.stateFile),
    () => session,
    log,
  );
  undo.add(() => socket.close());
  undo.add(async () => (await running.beside)?.());
  goOnUnlessStopped();
  const listener = await listen(flags, { node, isLinked: link !== null, log });
  undo.add(() => listener?.close());
  if (listener !== null)
    reloadOnHangUp(
      log,
      () => link?.reload(),
      () => listener.reload(),
    );
  goOnUnlessStopped();
  if (listener !== null && link === null) world.show(listener.plane.shown);
  const { dir, mountName: fsname } = standalone;
  const mount =
    dir === null
      ? null
      : await mountTree(traced('mount'), dir, flags, () => session, {
          ...{ fsname, log, handsOver: session.role === 'admin' && flags.passthrough },
        });
  running.mount = mount;
  undo.add(() => mount?.unmount());
  undo.add(() => stopping.abort());
  goOnUnlessStopped();
  const listensAt =
    listener === null ? null : { url: listener.url, stateDir: listenerDir(stateFileOf(flags)) };
  const metricsAt = health?.url ?? null;
  const lines = standalone.ready({ nodeId, dir: mount?.dir ?? null, listensAt });
  // Before anybody hears that it is ready: it leaves word of itself for those who look for it then.
  running.beside = standalone.beside?.(node, world, stopping.signal);
  if (lines !== null)
    reportReady(metricsAt === null ? lines : [...lines, `It says how it is at ${metricsAt}/metrics.`]);
  node.beginAhead();
  return { node, mount };
}

async function listen(
  flags: StandaloneFlags,
  { node, isLinked, log }: { node: RunningNode; isLinked: boolean; log: Log },
): Promise<NodeListener | null> {
  const { listen: at } = flags;
  if (at === undefined) return null;
  return listenForClients({ ...flags, listen: at }, { node, stateFile: stateFileOf(flags), isLinked, log });
}

/** `/control/mount.json`. */
function mountFacts(mount: Mount | null, { passthrough }: MountFlags): JsonObject {
  const why = passthrough ? (mount?.whyThroughUs ?? null) : 'it was started with --no-passthrough';
  return {
    mount_point: mount?.dir ?? null,
    binding: mount?.binding ?? null,
    passthrough: mount !== null && why === null,
    passthrough_why_not: mount === null ? 'nothing is mounted' : why,
  };
}

/** Who is not root mounts and unmounts by the set-id fusermount3, also while drivers run. */
function newPrivilegesFor(flags: StandaloneFlags, dir: string | null): NewPrivileges {
  if (flags.allowNewPrivileges === true) return 'allowed';
  if (dir === null || process.getuid?.() === 0) return 'process';
  if (flags.fuseBinding === 'fuse-native') return 'wrapper';
  keepSetIdTools();
  return 'process';
}
