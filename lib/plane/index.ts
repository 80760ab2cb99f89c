/**
 * A composition root: the control plane, the trees of its nodes and the files of its own put together as
 * one running service that shows each session its view of it all.
 */
export type { LocalMember } from './local-member.js';
export * from './run-plane.js';
export * from './remote-tree.js';
