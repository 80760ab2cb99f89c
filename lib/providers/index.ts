/**
 * What a node offers of itself without a manifest: real directories (exports) and terminals. Each is an
 * ordinary `Vfs` or `Driver` with a service definition; who may use it is decided elsewhere.
 */
export { createExport, type CreateExportOptions, type Export } from './export/create-export.js';
