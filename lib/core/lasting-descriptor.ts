import type { JsonObject } from './json.js';

/** Fields of a service's descriptor that a node writes anew on each start; they say nothing about the service. */
export const VOLATILE_FIELDS: ReadonlySet<string> = new Set([
  'digest',
  'revision',
  'software',
  'updated_at_ms',
]);

/** A descriptor without what its node writes anew on each start: two that are equal are of the same version. */
export function lastingDescriptor(descriptor: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(descriptor).filter(([name]) => !VOLATILE_FIELDS.has(name)));
}

/** What the history of a service keeps of a descriptor: what it says lastingly, but not how it fares at the moment. */
export function recordedDescriptor(descriptor: JsonObject): JsonObject {
  const { state: _state, ...lasting } = lastingDescriptor(descriptor);
  return lasting;
}
