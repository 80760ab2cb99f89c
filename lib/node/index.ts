/**
 * A composition root: registry, drivers, services and providers put together as one running node.
 */
export type { BuiltinService } from './builtin-services.js';
export { exposedByExports } from './export-bounds.js';
export type { ExportRequest } from './export-request.js';
export type { AuditLog } from './audit-log.js';
export { DEFAULT_AUDIT_UNSENT_BYTES } from './spool.js';
export { localControlDir } from './control-dir.js';
export * from './local-node.js';
export * from './driver-user.js';
export { DEFAULT_UID_RANGE, type UidRange } from './dynamic-users.js';
export { serveLocally, type LocalSocket } from './local-socket.js';
