import type { JsonObject } from '../core/index.js';
import type { PublishedService } from '../manifest/index.js';
import type { Service } from './service.js';

/** What a catalog shows of a service: its descriptor, and since when it is what it is. */
export function publishedDescriptor({ definition, revision, definedAtMs }: Service): JsonObject {
  return {
    ...definition.descriptor,
    digest: definition.descriptorDigest,
    revision,
    updated_at_ms: definedAtMs,
  };
}

/** The service as its indexes show it. */
export function describedFrom({ id, definition, node }: Service): PublishedService {
  return {
    node,
    serviceId: id,
    descriptor: definition.descriptor,
  };
}

/** The service as its own files show it. */
export function publishedFrom(service: Service): PublishedService {
  return { ...describedFrom(service), descriptor: publishedDescriptor(service) };
}
