/**
 * What a program, and every command, does with a tree: lists, describes, invokes, submits, follows, hears of
 * events, reads and writes files. The tree may be of a node of this process, of one behind its socket, of a control
 * plane, or a directory where one is mounted; nothing above this room knows which.
 */
export * from './client.js';
export * from './events.js';
export * from './connect.js';
export * from './described-service.js';
export * from './follow-job.js';
export { Job, type WaitOptions } from './job.js';
export type { JobStatus } from './job-status.js';
export * from './services.js';
export { typesFromServices } from './types-from-services.js';
export { treeOf, type Tree } from './tree.js';
