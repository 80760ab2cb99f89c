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
