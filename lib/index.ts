/** Services as files, for programs: see `docs/LIBRARY.md`. */
export * from './api/index.js';
export { FsError, type JsonObject, type JsonValue, type Log } from './core/index.js';
export type { Mount } from './fuse/index.js';
