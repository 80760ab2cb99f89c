/**
 * FUSE from TypeScript: opens /dev/fuse and speaks the kernel's protocol (linux/fuse.h, 7.31 to 7.45).
 * `serve` mounts a `Filesystem`; `KernelConnection` is the protocol alone, over any `Outlet`. Structs and
 * constants bear the header's names. Nothing here knows a `Vfs`, and nothing of the rest of lib enters.
 */
export type { BackingFiles, NoBacking } from './backing-files.js';
export { Call } from './call.js';
export * from './constants.js';
export { DirentList } from './dirents.js';
export { Errno } from './errno.js';
export type * from './filesystem.js';
export type * from './values.js';
export { callerGivesUp } from './interrupts.js';
export { MountError, mountDevice, unmountDevice, type MountDeviceOptions } from './mount-device.js';
export { negotiate, type NegotiatedInit, type InitIn } from './negotiate.js';
export type { Notifier } from './notifier.js';
export { deleteEntry, incEpoch, invalEntry, invalInode } from './notify.js';
export type { ReaderKind } from './reader.js';
export { keepSetIdTools, runTool, type ToolResult } from './run-tool.js';
export { serve, type FilesystemSource, type Served, type ServeOptions } from './serve.js';
export { KernelConnection, type Outlet, type ConnectionOptions } from './kernel-connection.js';
export * as structs from './structs.js';
