import { posix } from 'node:path';
import { FsError, isId, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { isTooDeep } from '../json-depth.js';

const OBJECTS = ['capabilities', 'ops', 'runtime', 'permissions', 'schema', 'invoke_template', 'labels'];
const TEXTS = ['kind', 'version', 'state', 'help_md'];

/**
 * Checks what a node says of a service: names, shapes, paths below its own directory. Answers the paths.
 * @throws FsError EINVAL, naming the service and the field.
 */
export function checkDescriptor(nodeId: string, descriptor: JsonObject): string[] {
  const serviceId = ownValue(descriptor, 'service_id');
  if (!isId(serviceId)) throw wrongDescriptor('?', 'service_id', 'is not a valid name');
  if (isTooDeep(descriptor)) throw wrongDescriptor(serviceId, 'descriptor', `is nested too deep`);
  checkShapes(serviceId, descriptor);
  return pathsOf(serviceId, descriptor, nodeId);
}

function checkShapes(serviceId: string, descriptor: JsonObject): void {
  if (!isId(ownValue(descriptor, 'kind'))) throw wrongDescriptor(serviceId, 'kind', 'is not a valid name');
  for (const field of TEXTS) {
    const value = ownValue(descriptor, field);
    if (value !== undefined && typeof value !== 'string')
      throw wrongDescriptor(serviceId, field, 'is not a text');
  }
  for (const field of OBJECTS) {
    const value = ownValue(descriptor, field);
    if (value !== undefined && !isJsonObject(value))
      throw wrongDescriptor(serviceId, field, 'is not an object');
  }
  const endpoints = ownValue(descriptor, 'endpoints');
  if (
    endpoints !== undefined &&
    !(Array.isArray(endpoints) && endpoints.every((item) => typeof item === 'string'))
  )
    throw wrongDescriptor(serviceId, 'endpoints', 'is not a list of paths');
}

function pathsOf(serviceId: string, descriptor: JsonObject, nodeId: string): string[] {
  const mounts = ownValue(descriptor, 'mounts') ?? [];
  if (!Array.isArray(mounts)) throw wrongDescriptor(serviceId, 'mounts', 'is not a list');
  const names = new Set<string>();
  return (mounts as readonly JsonValue[]).map((mount) => {
    const name = isJsonObject(mount) ? ownValue(mount, 'mount_id') : undefined;
    const path = isJsonObject(mount) ? ownValue(mount, 'mount_path') : undefined;
    if (!isId(name)) throw wrongDescriptor(serviceId, 'mounts', 'has an entry without a valid mount_id');
    if (names.has(name)) throw wrongDescriptor(serviceId, 'mounts', `has the mount_id "${name}" twice`);
    names.add(name);
    const isOurs =
      typeof path === 'string' &&
      path.startsWith(`/nodes/${nodeId}/`) &&
      posix.normalize(path) === path &&
      !path.includes('\0');
    if (!isOurs)
      throw wrongDescriptor(
        serviceId,
        'mounts',
        `has a mount_path that is not an absolute path under /nodes/${nodeId}/`,
      );
    return path.replace(/\/$/, '');
  });
}

export function wrongDescriptor(serviceId: string, field: string, what: string): FsError {
  return new FsError('EINVAL', `Service "${serviceId}": ${field} ${what}.`);
}
