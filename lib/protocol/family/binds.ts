import type { JsonObject, JsonValue } from '../../core/index.js';
import { ProtocolFault } from '../protocol-fault.js';
import { exportOfService, serviceOfExport, textOf } from './words.js';

/**
 * What newer members bind in a workspace: a path that leads to another one. To us it is a mount of the project, of the service or
 * folder that is at that other path.
 */

const SERVICE = /^\/nodes\/([^/]+)\/(?:services|venoms)\/([^/]+)\/?$/;
const FOLDER = /^\/nodes\/([^/]+)\/fs\/([^/]+)\/?$/;

/** A request to bind as one to mount, in place of what is at that path. @throws ProtocolFault `invalid_payload` */
export function mountOfBind({ target_path: path, target = path, ...rest }: JsonObject): JsonObject {
  const text = typeof target === 'string' ? target : '';
  const [, serviceNode, service] = SERVICE.exec(text) ?? [];
  const [, folderNode, folder] = FOLDER.exec(text) ?? [];
  const node_id = serviceNode ?? folderNode;
  const export_name = service === undefined ? folder : exportOfService(service);
  if (node_id === undefined || export_name === undefined)
    throw new ProtocolFault(
      'invalid_payload',
      'A bind leads to a service or folder of a node. Its target_path is /nodes/<node>/services/<service> or /nodes/<node>/fs/<folder>.',
    );
  return { ...rest, node_id, export_name, replace: true };
}

/** The mounts of a project as binds: one for each path. */
export function bindsOf(mounts: JsonValue | undefined): JsonObject[] {
  const binds = new Map<string, JsonObject>();
  for (const mount of Array.isArray(mounts) ? (mounts as readonly JsonObject[]) : []) {
    const bind_path = textOf(mount, 'mount_path');
    if (!binds.has(bind_path)) binds.set(bind_path, { bind_path, target_path: targetOf(mount) });
  }
  return [...binds.values()];
}

function targetOf(mount: JsonObject): string {
  const name = textOf(mount, 'export_name');
  const service = serviceOfExport(name);
  return `/nodes/${textOf(mount, 'node_id')}/${service === undefined ? `fs/${name}` : `services/${service}`}`;
}
