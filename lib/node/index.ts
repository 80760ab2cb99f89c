/**
 * What a node keeps and uses beside its services: the queue of audit records, the local socket, the users
 * that drivers run as, what exports may show, who sees which event.
 */
export { NodeAuditLog } from './node-audit-log.js';
export { KeptOffers } from './kept-offers.js';
export { localControlDir } from './control-dir.js';
export * from './driver-user.js';
export { DEFAULT_UID_RANGE, type UidRange } from './dynamic-users.js';
export { EventRules, isAdmin } from './event-rules.js';
export { exposedByExports, forbiddenPaths, ownPrograms } from './export-bounds.js';
export type { ExportRequest, UserMapRequest } from './export-request.js';
export { NodeHistory } from './history/node-history.js';
export { NodeReloads } from './history/node-reloads.js';
export { backUpNode, restoreNode } from './node-backup.js';
export { planFile } from './plan-file.js';
export { inputCheckOf } from './input-check.js';
export { serveLocally, type LocalSocket } from './local-socket.js';
export { squashUserFor } from './squash-user.js';
export { userMapFor } from './user-map.js';
