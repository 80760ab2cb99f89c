/**
 * The live set of a node's services: reads and watches manifests, settles which source owns which name, and
 * reports what was added, updated and removed. Knows definitions alone; running a service is others' work.
 */
export { checkManifests, type CheckedManifest } from './check-manifests.js';
export type { ExposureCheck } from './exposed-files.js';
export type { DriverFile, DriverFiles } from './driver-files.js';
export { isManifestName } from './list-manifests.js';
export {
  planReload,
  type PlannedFile,
  type PlannedOutcome,
  type ReloadPlan,
  type RunningService,
} from './plan-reload.js';
export type { KnownOffers } from './offered-set.js';
export { reconcile, type ReconcileAction } from './reconcile.js';
export { Registry, type RegistryChange, type RegistryOptions } from './registry.js';
export type { ReloadRecord, ServedBefore } from './reload-record.js';
export type { ReloadReport } from './reload-reporter.js';
export { resolveClaims, type Candidate, type Refusal, type Resolution } from './resolve-claims.js';
