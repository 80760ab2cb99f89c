/**
 * A tree at a distance: `serveVfs` lets a peer use a `Vfs` over a transport, `RemoteVfs` is such a tree for
 * the one who uses it. Nothing here knows what a service or a mount is, or where a session comes from.
 */
export * from './server/catalog-source.js';
export * from './server/exports-of-tree.js';
export { FileLocks } from './server/file-locks.js';
export type { FramingAgreement } from './wire/frame-port.js';
export * from './wire/handshake.js';
export type { StandIn } from './client/stand-in.js';
export { RemoteVfs, type RemoteState, type RemoteVfsOptions } from './client/remote-vfs.js';
export type { LeaveHow, ServeOptions, SessionSource } from './server/serve-options.js';
export * from './server/served-connection.js';
export { ServedRuntime } from './server/served-runtime.js';
