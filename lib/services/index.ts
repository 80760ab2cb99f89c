/**
 * A service as a directory: its state, its invocations and jobs, and the files that show them. All that
 * happens to a service goes through `Service`; the tree below `tree/` only translates files to its
 * methods. Nothing here knows a bridge, a wire or a mount.
 */
export * from './environment.js';
export { ownerOf } from './jobs/job.js';
export { logLevelFile } from './log-level-file.js';
export { DEFAULT_JOB_LIMITS, type JobLimits } from './jobs/job-limits.js';
export type { ObjectSink, Taken } from './request/object-handle.js';
export { ObjectScanner, type ScannedObject } from './request/object-scanner.js';
export { RequestFile } from './request/request-file.js';
export type { InputCheck } from './request/request.js';
export { publishedDescriptor } from './documents.js';
export { DURATION_BOUNDS } from './metrics.js';
export { KEYS_FORMAT } from './jobs/keys/key-segment.js';
export { SERVICES_FORMAT } from './state-file.js';
export { stateOf } from './live-documents.js';
export type { Service } from './service.js';
export { ServiceHost, type DefinitionChanges, type ServiceHostOptions } from './service-host.js';
export { DerivedRoot, type PlacedDir } from './tree/derived-roots.js';
export { historyFiles, type HistoryFilesOptions, type HistorySource } from './tree/history-files.js';
export { NODE_CONTROL, NodeDir, type NodeDirOptions, type Provider } from './tree/node-dir.js';
