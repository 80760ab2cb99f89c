/**
 * Rooms put together, and nothing else: a node that runs, a control plane that runs with the trees of its
 * nodes, and the tree of a control plane elsewhere. What is heavy is loaded when it is run, so that a command
 * that only looks at a tree needs none of it.
 */
import type { PlaneOptions, RunningPlane } from './run-plane.js';
import type { RunningNode, RunningNodeOptions } from './running-node.js';

export type { BuiltinService } from './builtin-services.js';
export type { PlaneOptions, RunningPlane } from './run-plane.js';
export type { RunningNode, RunningNodeOptions } from './running-node.js';
export * from './remote-tree.js';

/** @throws FsError as `RunningNode.start` */
export async function runNode(options: RunningNodeOptions): Promise<RunningNode> {
  return (await import('./running-node.js')).RunningNode.start(options);
}

/** @throws FsError as `startControlPlane` */
export async function runPlane(options: PlaneOptions): Promise<RunningPlane> {
  return (await import('./run-plane.js')).runPlane(options);
}
