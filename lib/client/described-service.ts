import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import { namesOfPath, walk } from '../vfs/index.js';
import { readJson, readText } from '../worldfs/index.js';
import type { Tree } from './tree.js';

/** What there is to know of a service before it is called. */
export interface DescribedService {
  readonly serviceId: string;
  readonly nodeId: string;
  /** Its directory in the tree. */
  readonly path: string;
  /** Whether it can be invoked; others only show files. */
  readonly hasInvoke: boolean;
  /** Its help, and how to call it: Markdown. */
  readonly readme: string;
  /** JSON Schemas of what it takes and gives; null where its manifest says nothing of it. */
  readonly input: JsonObject | null;
  readonly output: JsonObject | null;
  /** A request that it takes. */
  readonly template: JsonObject | null;
  /** `SERVICE.json`. */
  readonly descriptor: JsonObject;
}

/** Reads what the directory `path` of a service says. @throws FsError ENOENT, EHOSTDOWN */
export async function describedService(
  tree: Tree,
  path: string,
  signal?: AbortSignal,
): Promise<DescribedService> {
  const [descriptor, schema, template, readme, hasInvoke] = await Promise.all([
    readJson<JsonObject>(tree, `${path}/SERVICE.json`, signal),
    readIfThere(tree, `${path}/SCHEMA.json`, signal),
    readIfThere(tree, `${path}/TEMPLATE.json`, signal),
    readText(tree, `${path}/README.md`, signal),
    isThere(tree, `${path}/control/invoke.json`, signal),
  ]);
  const [, nodeId = '', , name = ''] = namesOfPath(path);
  return {
    serviceId: textOf(descriptor, 'service_id') ?? name,
    nodeId: textOf(descriptor, 'node_id') ?? nodeId,
    path,
    hasInvoke,
    readme,
    input: objectOf(schema, 'input'),
    output: objectOf(schema, 'output'),
    template,
    descriptor,
  };
}

async function isThere(tree: Tree, path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await walk(tree.root, path, tree.op(signal));
    return true;
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return false;
    throw thrown;
  }
}

async function readIfThere(tree: Tree, path: string, signal?: AbortSignal): Promise<JsonObject | null> {
  try {
    return await readJson<JsonObject>(tree, path, signal);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return null;
    throw thrown;
  }
}

function textOf(object: JsonObject, name: string): string | null {
  const value = ownValue(object, name);
  return typeof value === 'string' ? value : null;
}

function objectOf(object: JsonObject | null, name: string): JsonObject | null {
  const value = object === null ? undefined : ownValue(object, name);
  return isJsonObject(value) ? value : null;
}
