import type { ServiceDefinition } from './definition.js';
import { mcpServices } from './mcp/mcp-services.js';
import type { OfferedServices, Offers } from './offers.js';

const NOTHING: OfferedServices = { definitions: [], warnings: [] };

/**
 * The services that a service offers beside itself: one manifest can give many, of which it is only known what they
 * are once it runs. Pure and total, as offers come from programs that are not ours.
 */
export function offeredServices(service: ServiceDefinition, offers: Offers): OfferedServices {
  const { runtime } = service;
  return runtime.type === 'mcp' && runtime.offer === null
    ? mcpServices({ ...service, runtime }, offers)
    : NOTHING;
}
