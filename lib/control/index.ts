/**
 * The control plane: who is who, which nodes there are, what they offer, what happened. One store of many
 * concerns (`store/`), a server that speaks the protocol's control channel over it, and the client of the
 * same. Files travel through here, but what they are is not known here: no driver, no service, no tree.
 */
export * from './access.js';
export * from './store/audit.js';
export {
  asideName,
  backUpControl,
  backUpStore,
  controlIn,
  lockControl,
  mayBeOfControl,
  proveControl,
  replacedBy,
  restoreControl,
  restoreStore,
  takeControl,
} from './store/backup.js';
export { exportStore, importIntoStore } from './store/replica/move-store.js';
export * from './store/console-sessions.js';
export * from './store/events.js';
export * from './store/nodes.js';
export type { NodeFacts, NodeHolder, NodeRecord } from './store/node-record.js';
export * from './store/pairing.js';
export * from './store/projects.js';
export * from './store/service-delta.js';
export * from './store/sessions.js';
export * from './store/store.js';
export { openShared } from './store/replica/open-shared.js';
export * from './store/tokens.js';
export * from './store/user-event-logs.js';
export type { ViewEvent } from './store/view-event.js';
export * from './control-plane.js';
export * from './in-process-node.js';
export type { RelayCounts } from './relay-counts.js';
export { proveAsCaller, proveAsCalled, RELAY_PATH } from './relay-proof.js';
export type { RelayConnection, RelayPeer, RelayReplicas } from './relay-replicas.js';
export type { AccessChange, AccessChanges } from './server/access-changes.js';
export type { ConsolePages } from './server/console-door.js';
export { DEFAULT_DRAIN_MS, type GoingAway } from './server/drain.js';
export type { FilesConnection } from './server/files-connection.js';
export type { McpCaller, McpPages, McpUse } from './server/mcp-door.js';
export type { RuntimeChannel, RuntimeHost } from './server/runtime.js';
export type { TlsFiles } from './server/tls-files.js';
export type { PlaneLimits } from './server/server-context.js';
export type { NodeTunnel, Tunnels } from './server/tunnels.js';
export * from './client/index.js';
