/**
 * A composition root: registry, drivers, services and providers put together as one running node.
 */
export type { BuiltinService } from './builtin-services.js';
export { exposedByExports } from './export-bounds.js';
export type { ExportRequest } from './export-request.js';
export type { NodeAuditLog } from './node-audit-log.js';
export { DEFAULT_AUDIT_UNSENT_BYTES } from './audit-queue-file.js';
export { localControlDir } from './control-dir.js';
export * from './running-node.js';
export * from './driver-user.js';
export { DEFAULT_UID_RANGE, type UidRange } from './dynamic-users.js';
export { serveLocally, type LocalSocket } from './local-socket.js';
