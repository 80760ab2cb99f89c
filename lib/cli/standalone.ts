import type { Log } from '../core/index.js';
import { keepSetIdTools } from '../fuse/index.js';
import type { NewPrivileges } from '../drivers/index.js';
import { LocalNode, localControlDir, serveLocally } from '../node/index.js';
import { World } from '../worldfs/index.js';
import { sessionFromFlags, type MountFlags } from './mount-options.js';
import { localNodeOptions, type NodeFlags } from './node-options.js';
import { serveMount } from './serve-mount.js';
import { socketPath } from './socket-path.js';
import { stopAsked } from './stop-asked.js';

export interface Standalone {
  readonly nodeId: string;
  readonly servicesDirs: readonly string[];
  /** Where to mount; null: nowhere. */
  readonly dir: string | null;
  /** What the mount is called in the table of mounts. */
  readonly mountName: string;
  readonly log: Log;
  /** What to say when it is ready; `dir` is the mount point as the kernel names it. */
  readonly ready: (dir: string | null, nodeId: string) => readonly string[];
  /** What runs beside it from when it is ready on; it answers how to end it. It must not fail. */
  readonly beside?: (node: LocalNode, world: World, stopping: AbortSignal) => Promise<() => Promise<void>>;
}

/** What ties a node to a control plane. */
export interface Tie {
  /** Resolves when the node is to stop. */
  readonly stop: Promise<string>;
  /** Makes the running node known. The caller holds the lock of the state. */
  attach(node: LocalNode): Promise<void>;
}

/** Runs a node with a mount of its own until it is stopped or unmounted; without a tie it knows no other. */
export async function runStandalone(
  flags: NodeFlags & MountFlags,
  standalone: Standalone,
  tie: Tie | null = null,
): Promise<void> {
  const { nodeId, servicesDirs, log } = standalone;
  const stop = tie?.stop ?? stopAsked();
  const node = await LocalNode.start({
    ...localNodeOptions(flags, { nodeId, servicesDirs, mountDir: standalone.dir, log }),
    stateIsLocked: tie !== null,
    newPrivileges: newPrivilegesFor(flags, standalone.dir),
  });
  try {
    await tie?.attach(node);
    const session = sessionFromFlags(flags);
    const world = new World({
      nodes: node,
      events: node.events,
      now: () => Date.now(),
      extendedAttributes: (flags.export ?? []).length > 0 || standalone.beside !== undefined,
      control: localControlDir({
        nodeId,
        audit: node.audit,
        diagnostics: () => node.registry.diagnostics(),
      }),
    });
    const socket = await serveLocally(world, socketPath(flags.stateDir), () => session, log);
    try {
      await serveMount({ flags, standalone, stop, node, world, session });
    } finally {
      await socket.close();
    }
  } finally {
    await node.close();
  }
}

/** Who is not root mounts and unmounts by the set-id fusermount3, also while drivers run. */
function newPrivilegesFor(flags: NodeFlags & MountFlags, dir: string | null): NewPrivileges {
  if (flags.allowNewPrivileges === true) return 'allowed';
  if (dir === null || process.getuid?.() === 0) return 'process';
  if (flags.fuseBinding === 'fuse-native') return 'wrapper';
  keepSetIdTools();
  return 'process';
}
