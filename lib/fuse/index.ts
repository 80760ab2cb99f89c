/**
 * The bindings to the kernel: one binding interface, and adapters that show a `Vfs` as a mounted directory.
 * Negative errnos exist only here. Nothing here knows what a service is; nothing above knows what a FUSE
 * request looks like.
 */
export * from './binding.js';
export * from './choose-binding.js';
export { keepSetIdTools } from './kernel/index.js';
export * from './mounting/mount-server.js';
export * from './mounting/mountinfo.js';
export * from './mounting/mountpoint.js';
export { abortMount, unmountDir, type UnmountOutcome } from './mounting/unmount.js';
export { programOnPath } from './mounting/fuse-device.js';
export { resolveMountDir } from './mounting/resolve-mount-dir.js';
