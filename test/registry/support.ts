import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { isJsonObject, silentLog, type Emitter, type JsonObject, type NodeId } from '../../lib/core/index.js';
import type { ServiceDefinition } from '../../lib/manifest/index.js';
import { Registry, type RegistryOptions } from '../../lib/registry/index.js';

export const nodeId = 'n1' as NodeId;

export function manifest(serviceId: string, more: object = {}): string {
  return JSON.stringify({ service_id: serviceId, kind: 'tool', ...more });
}

/** A folder with the given files. */
export function folderOf(t: Test, files: Record<string, string>): string {
  const folder = join(t.testdir(), 'manifests');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** A started registry that is closed with the test. Trusts the place where the tests happen to be. */
export async function started(t: Test, options: Partial<RegistryOptions>): Promise<Registry> {
  const registry = new Registry({
    nodeId,
    log: silentLog,
    trustWritable: true,
    reloadIntervalMs: 0,
    watch: false,
    ...options,
  });
  t.teardown(() => registry.close());
  await registry.start();
  return registry;
}

/** The next event that passes. */
export function next<Event>(
  emitter: Emitter<Event>,
  passes: (event: Event) => boolean = () => true,
): Promise<Event> {
  return new Promise((resolve) => {
    const off = emitter.on((event) => {
      if (!passes(event)) return;
      off();
      resolve(event);
    });
  });
}

export function idsOf(definitions: Iterable<ServiceDefinition>): string[] {
  return [...definitions].map((definition) => definition.serviceId);
}

/** The entry of a file in `reload.json`. */
export function entryOf(registry: Registry, name: string): JsonObject {
  const files = registry.diagnostics()['files'] as readonly JsonObject[];
  const entry = files.find(
    (file) => isJsonObject(file) && JSON.stringify(file['file']).endsWith(`/${name}"`),
  );
  if (entry === undefined) throw new Error(`reload.json does not have ${name}`);
  return entry;
}
