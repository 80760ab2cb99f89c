/**
 * A composition root: the control plane, the trees of its nodes and the files of its own put together as
 * one running service that shows each session its view of it all; and the tree of a plane elsewhere.
 */
import type { PlaneOptions, RunningPlane } from './run-plane.js';

export type { LocalMember } from './local-member.js';
export type { PlaneOptions, RunningPlane } from './run-plane.js';
export * from './remote-tree.js';

/**
 * Runs a control plane; what it needs is loaded only now, since a mount of somebody else's needs none of it.
 * @throws FsError as `startControlPlane`
 */
export async function runPlane(options: PlaneOptions): Promise<RunningPlane> {
  return (await import('./run-plane.js')).runPlane(options);
}
