/**
 * The one interface of the program: files, directories and symlinks that somebody serves. Bases that
 * refuse what a node does not offer, walking, documents. Nothing here knows what a service is, and
 * nothing here does I/O.
 */
export * from './awaitable.js';
export * from './bases.js';
export * from './checked-document.js';
export * from './document.js';
export { DelegatingDir, DelegatingFile, type Delegate } from './delegating-nodes.js';
export * from './forwarding-handle.js';
export * from './forwarding-nodes.js';
export * from './guarded-handle.js';
export * from './ino.js';
export * from './map-dir.js';
export * from './no-attribute.js';
export * from './numbered-dir.js';
export * from './open-flags.js';
export * from './seek.js';
export * from './shared-bytes.js';
export * from './stats.js';
export * from './stream-file.js';
export * from './symlink.js';
export * from './types.js';
export * from './walk.js';
