import { isJsonObject, ownValue, type JsonObject } from '../../../core/index.js';

/** The longest path that is kept. */
const MAX_SOURCE_CHARS = 1024;

/** The manifest that a service is from, as its node's report on its manifests says; null where it does not. */
export function sourceIn(reload: JsonObject | null | undefined, serviceId: string): string | null {
  for (const list of ['files', 'builtins']) {
    const entries = reload == null ? undefined : ownValue(reload, list);
    if (!Array.isArray(entries)) continue;
    const entry = entries.find((one) => isJsonObject(one) && gives(one, serviceId)) as JsonObject | undefined;
    const source = entry && (ownValue(entry, 'file') ?? ownValue(entry, 'source'));
    if (typeof source === 'string') return source.slice(0, MAX_SOURCE_CHARS);
  }
  return null;
}

/** A manifest gives its own service, and what that offers beside itself. */
function gives(entry: JsonObject, serviceId: string): boolean {
  const offers = ownValue(entry, 'offers');
  return ownValue(entry, 'service_id') === serviceId || (Array.isArray(offers) && offers.includes(serviceId));
}
