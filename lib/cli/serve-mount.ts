import type { LocalNode } from '../node/index.js';
import type { Session } from '../policy/index.js';
import type { World } from '../worldfs/index.js';
import { tellReady } from './background.js';
import { mountTree, type MountFlags } from './mount-options.js';
import type { Standalone } from './standalone.js';

interface Serving {
  readonly flags: MountFlags;
  readonly standalone: Standalone;
  readonly stop: Promise<string>;
  readonly node: LocalNode;
  readonly world: World;
  readonly session: Session;
}

/** Mounts where it is asked for, and returns once it was stopped or unmounted. */
export async function serveMount({ flags, standalone, stop, node, world, session }: Serving): Promise<void> {
  const { dir, mountName: fsname, log } = standalone;
  const mount = dir === null ? null : await mountTree(world, dir, flags, () => session, { fsname, log });
  tellReady(standalone.ready(mount?.dir ?? null, standalone.nodeId));
  const stopping = new AbortController();
  const beside = standalone.beside?.(node, world, stopping.signal);
  const reason = await (mount === null ? stop : Promise.race([stop, mount.closed]));
  stopping.abort();
  await mount?.unmount();
  const endBeside = await beside;
  await endBeside?.();
  if (typeof reason === 'object' && reason.how === 'failed') throw reason.error;
}
