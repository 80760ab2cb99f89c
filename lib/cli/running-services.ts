import { FsError, isJsonObject, type JsonObject, type ServiceId } from '../core/index.js';
import type { RunningService } from '../registry/index.js';
import { walk } from '../vfs/index.js';
import { readText } from '../worldfs/index.js';
import type { Tree } from './tree-access.js';

/** A node as its last reload of manifests left it. */
export interface ReloadedNode {
  readonly nodeId: string;
  readonly servicesDirs: readonly string[];
  readonly services: readonly RunningService[];
}

/**
 * What runs at a node, and from which files. `wanted` may be left out where the tree has one node.
 * @throws FsError EACCES for who is no admin, ENOENT where there is no such node
 */
export async function runningServices(tree: Tree, wanted: string | undefined): Promise<ReloadedNode> {
  const nodeId = wanted ?? (await onlyNode(tree));
  const reload = await readReload(tree, nodeId);
  const sources = new Map<string, string>();
  for (const file of objectsIn(reload['files'])) {
    const { service_id: serviceId, file: path, state } = file;
    if (typeof serviceId === 'string' && typeof path === 'string' && state !== 'disabled')
      sources.set(serviceId, path);
  }
  for (const { service_id: serviceId, source } of objectsIn(reload['builtins']))
    if (typeof serviceId === 'string' && typeof source === 'string') sources.set(serviceId, source);
  const dir = `/nodes/${nodeId}/services`;
  const services = (await namesIn(tree, dir)).map(async (serviceId): Promise<RunningService> => {
    const descriptor = JSON.parse(await readText(tree, `${dir}/${serviceId}/SERVICE.json`)) as JsonObject;
    return {
      serviceId: serviceId as ServiceId,
      source: sources.get(serviceId) ?? `service ${serviceId}`,
      descriptor,
      mounts: objectsIn(descriptor['mounts']).map((mount) => ({
        mountId: textIn(mount, 'mount_id'),
        mountPath: textIn(mount, 'mount_path'),
        state: textIn(mount, 'state'),
      })),
    };
  });
  return {
    nodeId,
    servicesDirs: objectsIn(reload['services_dirs']).flatMap(({ path }) =>
      typeof path === 'string' ? path : [],
    ),
    services: await Promise.all(services),
  };
}

async function onlyNode(tree: Tree): Promise<string> {
  const [nodeId, ...others] = await namesIn(tree, '/nodes');
  if (nodeId !== undefined && others.length === 0) return nodeId;
  throw new FsError('EINVAL', nodeId === undefined ? 'There is no node.' : 'There are several nodes.', {
    hint: 'Name one: acheron plan --services-dir DIR NODE. `acheron ls /nodes` lists them.',
  });
}

async function readReload(tree: Tree, nodeId: string): Promise<JsonObject> {
  const path = `/control/nodes/${nodeId}/reload.json`;
  try {
    return JSON.parse(await readText(tree, path)) as JsonObject;
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code !== 'ENOENT') throw error;
    // Users do not see /control at all.
    throw new FsError('ENOENT', `What ${nodeId} runs, and from which files, cannot be read.`, {
      hint: "Check the node's name, and that the token is an admin's.",
      path,
      cause: thrown,
    });
  }
}

/** The directories in a directory. */
async function namesIn(tree: Tree, path: string): Promise<string[]> {
  const dir = await walk(tree.root, path, tree.op());
  if (dir.kind !== 'dir') return [];
  return [...(await dir.list(tree.op()))].filter(({ kind }) => kind === 'dir').map(({ name }) => name);
}

function textIn(object: JsonObject, name: string): string {
  const value = object[name];
  return typeof value === 'string' ? value : '';
}

function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
