import type { JsonObject } from '../core/index.js';
import type { ServiceDefinition } from './definition.js';

/** What a service says that it offers beside itself; what is in it is a matter of its runtime. */
export type Offers = JsonObject;

/** The services that one manifest gives beside its own, and what of the offers cannot be one. */
export interface OfferedServices {
  readonly definitions: readonly ServiceDefinition[];
  /** Sentences. */
  readonly warnings: readonly string[];
}

/** Which service offers the one that is described so; undefined where it has a manifest of its own. */
export function offererOf(descriptor: JsonObject): string | undefined {
  const { offered_by: by } = descriptor;
  return typeof by === 'string' ? by : undefined;
}
