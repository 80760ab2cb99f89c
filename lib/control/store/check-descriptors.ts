import { posix } from 'node:path';
import { FsError, isId, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { isTooDeep } from '../json-depth.js';

const OBJECTS = ['capabilities', 'ops', 'runtime', 'permissions', 'schema', 'invoke_template', 'labels'];
const TEXTS = ['kind', 'version', 'state', 'help_md'];

/**
 * Checks what a node says it offers: names, shapes, paths below its own directory, nothing twice.
 * @throws FsError EINVAL, naming the service and the field.
 */
export function checkDescriptors(nodeId: string, descriptors: readonly JsonObject[]): void {
  const roots = new Map<string, string>();
  const ids = new Set<string>();
  for (const descriptor of descriptors) {
    const serviceId = ownValue(descriptor, 'service_id');
    if (!isId(serviceId)) throw wrong('?', 'service_id', 'is not a valid name');
    if (ids.has(serviceId)) throw wrong(serviceId, 'service_id', 'is there twice');
    ids.add(serviceId);
    if (isTooDeep(descriptor)) throw wrong(serviceId, 'descriptor', `is nested too deep`);
    checkShapes(serviceId, descriptor);
    for (const path of pathsOf(serviceId, descriptor, nodeId)) {
      const other = roots.get(path);
      if (other !== undefined && other !== serviceId)
        throw wrong(serviceId, 'mounts', `has the path ${path} of "${other}"`);
      roots.set(path, serviceId);
    }
  }
}

function checkShapes(serviceId: string, descriptor: JsonObject): void {
  if (!isId(ownValue(descriptor, 'kind'))) throw wrong(serviceId, 'kind', 'is not a valid name');
  for (const field of TEXTS) {
    const value = ownValue(descriptor, field);
    if (value !== undefined && typeof value !== 'string') throw wrong(serviceId, field, 'is not a text');
  }
  for (const field of OBJECTS) {
    const value = ownValue(descriptor, field);
    if (value !== undefined && !isJsonObject(value)) throw wrong(serviceId, field, 'is not an object');
  }
  const endpoints = ownValue(descriptor, 'endpoints');
  if (
    endpoints !== undefined &&
    !(Array.isArray(endpoints) && endpoints.every((item) => typeof item === 'string'))
  )
    throw wrong(serviceId, 'endpoints', 'is not a list of paths');
}

function pathsOf(serviceId: string, descriptor: JsonObject, nodeId: string): string[] {
  const mounts = ownValue(descriptor, 'mounts') ?? [];
  if (!Array.isArray(mounts)) throw wrong(serviceId, 'mounts', 'is not a list');
  const names = new Set<string>();
  return (mounts as readonly JsonValue[]).map((mount) => {
    const name = isJsonObject(mount) ? ownValue(mount, 'mount_id') : undefined;
    const path = isJsonObject(mount) ? ownValue(mount, 'mount_path') : undefined;
    if (!isId(name)) throw wrong(serviceId, 'mounts', 'has an entry without a valid mount_id');
    if (names.has(name)) throw wrong(serviceId, 'mounts', `has the mount_id "${name}" twice`);
    names.add(name);
    const isOurs =
      typeof path === 'string' &&
      path.startsWith(`/nodes/${nodeId}/`) &&
      posix.normalize(path) === path &&
      !path.includes('\0');
    if (!isOurs)
      throw wrong(
        serviceId,
        'mounts',
        `has a mount_path that is not an absolute path under /nodes/${nodeId}/`,
      );
    return path.replace(/\/$/, '');
  });
}

function wrong(serviceId: string, field: string, what: string): FsError {
  return new FsError('EINVAL', `Service "${serviceId}": ${field} ${what}.`);
}
