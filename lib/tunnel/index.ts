/**
 * A tree at a distance: `serveVfs` lets a peer use a `Vfs` over a transport, `RemoteVfs` is such a tree for
 * the one who uses it. Nothing here knows what a service or a mount is, or where a session comes from.
 */
export * from './exports-of-tree.js';
export { PLAIN, type Agreement } from './frame-port.js';
export * from './greeting.js';
export { RemoteVfs, type RemoteState, type RemoteVfsOptions } from './remote-vfs.js';
export * from './served-connection.js';
