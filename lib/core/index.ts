/**
 * What every room may use: the errno table and `FsError`, checked ids, time, JSON, events, the log
 * interface. Nothing here does I/O or knows another room.
 */
export * from './changed-pointers.js';
export * from './clock.js';
export * from './content-pool.js';
export * from './decimal.js';
export * from './drop-oldest.js';
export * from './each-of.js';
export * from './emitter.js';
export * from './exact-numbers.js';
export * from './fs-error.js';
export * from './ids.js';
export * from './indent-json.js';
export * from './invocation-ids.js';
export * from './join-bytes.js';
export * from './json.js';
export * from './lasting-descriptor.js';
export * from './log.js';
export * from './media-types.js';
export * from './metric-family.js';
export * from './nearest.js';
export * from './network-of.js';
export * from './once.js';
export * from './repeats.js';
export * from './sip-hash.js';
export * from './summary.js';
export * from './token-buckets.js';
export * from './undo-stack.js';
export * from './trace.js';
