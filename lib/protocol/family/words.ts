import { ownValue, type JsonObject } from '../../core/index.js';

/** Words of the family that both channels say. */

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
