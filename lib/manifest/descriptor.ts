import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { ServiceDefinition } from './definition.js';
import { MANIFEST_FIELDS } from './manifest-schema.js';

/**
 * A service as others may see it. `runtime` is what the manifest says, not what it means here: paths stay
 * as written, and no release of this program changes a descriptor by itself. Values of `env` become names.
 */
export function descriptorFrom(
  definition: Omit<ServiceDefinition, 'descriptor' | 'descriptorDigest' | 'digest'>,
  manifest: JsonObject,
  nodeId: string,
): JsonObject {
  const runtime = (ownValue(manifest, 'runtime') ?? {}) as JsonObject;
  const unknown = Object.entries(manifest).filter(([name]) => !MANIFEST_FIELDS.has(name));
  const known: Record<string, JsonValue> = {
    node_id: nodeId,
    service_id: definition.serviceId,
    kind: definition.kind,
    version: definition.version,
    enabled: definition.enabled,
    state: definition.state,
    endpoints: definition.endpoints,
    capabilities: definition.capabilities,
    mounts: definition.mounts.map((mount) => ({
      mount_id: mount.mountId,
      mount_path: mount.mountPath,
      state: mount.state,
    })),
    ops: definition.ops,
    runtime: withoutSecrets({ type: 'static', ...runtime }),
    permissions: definition.permissions,
    schema: definition.schema,
    invoke_template: definition.invokeTemplate,
    help_md: definition.helpMd,
    labels: definition.labels,
  };
  const taken = new Set(Object.keys(known));
  return {
    ...known,
    ...(withoutEnvValues(Object.fromEntries(unknown.filter(([name]) => !taken.has(name)))) as JsonObject),
  };
}

/** Headers show their names alone, an address no query: either may hold a key. */
function withoutSecrets(runtime: JsonObject): JsonValue {
  const { headers, url } = runtime;
  return withoutEnvValues({
    ...runtime,
    ...(headers === undefined ? {} : { headers: isJsonObject(headers) ? Object.keys(headers).sort() : [] }),
    ...(typeof url === 'string' ? { url: url.replace(/[?#].*$/s, '?…') } : {}),
  });
}

/** Whatever is called `env`, at any depth, shows its names alone. */
function withoutEnvValues(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(withoutEnvValues);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === 'env' ? (isJsonObject(item) ? Object.keys(item).sort() : []) : withoutEnvValues(item),
    ]),
  );
}
