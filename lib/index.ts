/** Services as files, for programs: see `docs/LIBRARY.md`. */
export * from './api/index.js';
export { FsError, type FsErrorOptions, type JsonObject, type JsonValue, type Log } from './core/index.js';
export type { BindingName, CloseReason, Mount } from './fuse/index.js';
export type { ExportRequest, UserMapRequest } from './node/index.js';
export type { Role } from './policy/index.js';
export type { NodeKind } from './vfs/index.js';
