/**
 * What a node offers of itself without a manifest: real directories (exports) and terminals. Each is an
 * ordinary `Vfs` or `Driver` with a service definition; who may use it is decided elsewhere.
 */
export { fsServiceDefinition, type ExportFacts } from './definitions/fs-service-definition.js';
export { terminalServiceDefinition } from './definitions/terminal-service-definition.js';
export { createExport, type CreateExportOptions, type Export } from './export/create-export.js';
export type { Identity, UserMap } from './export/identity.js';
export { createFsProvider } from './fs-provider.js';
export { holderAmong, type WritableExport } from './writable-exports.js';
export { guardExport, type ExportRights } from './guard-export.js';
export { TerminalDriver, type TerminalOptions } from './terminal/terminal-driver.js';
