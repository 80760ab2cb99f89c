/**
 * What a manifest may say, and what it means: the schema of the format, faults with their positions,
 * and the pure way from a manifest's text to a `ServiceDefinition`. Reading files is the registry's.
 */
export * from './definition.js';
