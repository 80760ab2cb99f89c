/**
 * The doors to the kernel: one binding interface, and adapters that show a `Vfs` as a mounted directory.
 * Negative errnos exist only here. Nothing here knows what a service is; nothing above knows what a FUSE
 * request looks like.
 */
export * from './binding.js';
export * from './choose-binding.js';
export { keepSetIdTools } from './kernel/index.js';
export { kernelBinding } from './kernel-binding.js';
export * from './mount-server.js';
export * from './mountinfo.js';
export * from './mountpoint.js';
export { nativeBinding } from './native-binding.js';
export { abortMount, unmountDir, watchMount, isMounted, detach, type UnmountOutcome } from './unmount.js';
export { resolveMountDir } from './resolve-mount-dir.js';
