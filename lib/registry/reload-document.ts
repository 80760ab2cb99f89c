import { timestamp, type JsonObject, type JsonValue, type ServiceId } from '../core/index.js';
import type { ManifestFault, ServiceDefinition } from '../manifest/index.js';
import type { ManifestFile } from './manifest-file.js';
import type { ManifestSet } from './manifest-set.js';

interface ReloadFacts {
  readonly nodeId: string;
  readonly revision: number;
  readonly checkedAtMs: number | null;
  readonly intervalMs: number;
  readonly watching: boolean;
  readonly trustWritable: boolean;
  readonly builtins: readonly ServiceDefinition[];
  readonly manifests: ManifestSet;
  /** For each service, the definition before its last update. */
  readonly previous: ReadonlyMap<ServiceId, ServiceDefinition>;
}

/** What the last reload found, file by file: `reload.json`. Digests are those of descriptors. */
export function reloadDocument(facts: ReloadFacts): JsonObject {
  const { files: known, listing } = facts.manifests;
  const files = [...known.values()].map((file) => fileEntry(file, facts));
  return {
    node_id: facts.nodeId,
    revision: facts.revision,
    checked_at: timestamp(facts.checkedAtMs),
    reload_interval_ms: facts.intervalMs,
    watching: facts.watching,
    trust_writable: facts.trustWritable,
    faults_total: files.reduce((sum, file) => sum + file.faults.length, listing.faults.length),
    builtins: facts.builtins.map(({ serviceId, version, source }) => ({
      service_id: serviceId,
      version,
      source,
    })),
    services_dirs: listing.folders.map((folder) => {
      const fault = listing.faults.find((entry) => entry.folder === folder);
      return fault === undefined
        ? { path: folder, state: 'ok', fault: null }
        : { path: folder, state: 'refused', fault: { message: fault.message, hint: fault.hint } };
    }),
    files,
  };
}

function fileEntry(file: ManifestFile, facts: ReloadFacts): JsonObject & { faults: JsonValue[] } {
  const running = file.held;
  const shown = running ?? file.disabled;
  const before = running === undefined ? undefined : facts.previous.get(running.serviceId);
  return {
    file: file.path,
    state: stateOf(file),
    service_id: shown?.serviceId ?? null,
    version: shown?.version ?? null,
    digest: shown?.descriptorDigest ?? null,
    previous_version: before?.version ?? null,
    previous_digest: before?.descriptorDigest ?? null,
    changed: running === undefined || before === undefined ? [] : changedFields(before, running),
    read_at: timestamp(file.loadedAtMs),
    faults: file.faults.map(faultEntry),
    ...(file.offered.length === 0 ? {} : { offers: file.offered.map(({ serviceId }) => serviceId) }),
    warnings: file.warnings.map(faultEntry),
  };
}

/** `ok`; `disabled`: good, and its service left out; `last_good`: faulty, its last good service runs on; `invalid`: faulty, and gives none; `missing`. */
function stateOf(file: ManifestFile): string {
  if (file.gone) return 'missing';
  if (file.disabled !== undefined) return 'disabled';
  if (file.faults.length === 0) return 'ok';
  return file.held === undefined ? 'invalid' : 'last_good';
}

function faultEntry(fault: ManifestFault): JsonObject {
  const { line, column, pointer, message, expected, got, hint } = fault;
  return { line, column, pointer, message, expected, got, hint };
}

/** The fields of the manifest that differ; `runtime` also where only a value of `env` does. */
export function changedFields(before: ServiceDefinition, after: ServiceDefinition): string[] {
  const names = new Set([...Object.keys(before.descriptor), ...Object.keys(after.descriptor)]);
  const changed = [...names].filter(
    (name) => JSON.stringify(before.descriptor[name]) !== JSON.stringify(after.descriptor[name]),
  );
  if (!changed.includes('runtime') && JSON.stringify(before.runtime) !== JSON.stringify(after.runtime))
    changed.push('runtime');
  return changed;
}
