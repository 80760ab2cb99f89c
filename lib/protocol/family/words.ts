import { ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/** Words of the family that both channels say. */

/** What newer members call the protocols, by what we and the older ones do. */
export const NEWER_CONTROL_PROTOCOL = 'spiderweb-control';
export const NEWER_FILES_PROTOCOL = 'spiderweb-fs';
const PROTOCOLS = new Map([
  [NEWER_CONTROL_PROTOCOL, 'unified-v2'],
  [NEWER_FILES_PROTOCOL, 'unified-v2-fs'],
]);

/** The protocol that is meant; undefined where it is said by the name that we use, or is none that we know. */
export const protocolMeant = (said: JsonValue | undefined): string | undefined =>
  typeof said === 'string' ? PROTOCOLS.get(said) : undefined;

/** The agent of a token that names none. */
export const NAMELESS_AGENT = 'default';

const SERVICE_EXPORT = 'svc-';

/** How a service is called among the exports of its node. */
export const exportOfService = (serviceId: string): string => `${SERVICE_EXPORT}${serviceId}`;

/** The service that an export is; undefined for a folder. */
export function serviceOfExport(exportName: string): string | undefined {
  return exportName.startsWith(SERVICE_EXPORT) ? exportName.slice(SERVICE_EXPORT.length) : undefined;
}

/** `lookup` of `acheron.t_fs_lookup`, a request, or of `acheron.r_fs_lookup`, its answer. */
export function fileMessageOf(type: string, way: 't' | 'r'): string | undefined {
  const start = `acheron.${way}_fs_`;
  return type.startsWith(start) ? type.slice(start.length) : undefined;
}

/** A field that is a text; anything else counts as an empty one. */
export function textOf(object: JsonObject, key: string): string {
  const value = ownValue(object, key);
  return typeof value === 'string' ? value : '';
}
