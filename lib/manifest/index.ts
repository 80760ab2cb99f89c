/**
 * What a manifest may say, and what it means: the schema of the format, faults with their positions,
 * and the pure way from a manifest's text to a `ServiceDefinition`. Reading files is the registry's.
 */
export { builtinDefinition } from './builtin-definition.js';
export * from './definition.js';
export { descriptorDiff, type DescriptorVersion } from './descriptor-diff.js';
export * from './descriptor-files.js';
export { isInvocable, typeFromDescriptor } from './described-runtime.js';
export { lineFromFault, pathFromPointer, type ManifestFault } from './fault.js';
export type { InputFault } from './input-faults.js';
export {
  compileInputSchema,
  inputValidatorOf,
  MAX_SCHEMA_BYTES,
  type InputValidator,
} from './input-schema.js';
export { MANIFEST_SCHEMA } from './manifest-schema.js';
export { findRootConflicts, type RootClaim, type RootConflict } from './mounts.js';
export {
  MAX_MANIFEST_BYTES,
  readManifest,
  readManifestBytes,
  refusedReading,
  type FaultWords,
  type ManifestContext,
  type ManifestReading,
  type Place,
} from './read-manifest.js';
export * from './http-definition.js';
export { offeredServices } from './offered-services.js';
export * from './offers.js';
export { solePlaceholder, soleOf, templateFrom, type Placeholder, type Template } from './placeholders.js';
export { requestCheckOf, requestDigest, type RequestCheck } from './request-check.js';
export * from './node-files.js';
export { shapeOfRequest } from './request-shape.js';
export * from './service-history.js';
export type { SourceExcerpt } from './source-excerpt.js';
export { templateFromSchema } from './template.js';
