import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/index.js';
import {
  readManifest,
  type ManifestFault,
  type ManifestReading,
  type ServiceDefinition,
} from '../manifest/index.js';
import { findDriverFiles } from './driver-files.js';
import type { FolderFault, ManifestSources } from './list-manifests.js';
import { ManifestSet } from './manifest-set.js';
import { resolveClaims } from './resolve-claims.js';
import { faultFromRefusal } from './start-refusal.js';
import { TrustCheck } from '../drivers/index.js';

export interface CheckedManifest {
  readonly file: string;
  /** The file is not there. */
  readonly missing: boolean;
  readonly reading: ManifestReading;
  readonly definition: ServiceDefinition | undefined;
  readonly faults: readonly ManifestFault[];
  readonly warnings: readonly ManifestFault[];
}

/** How long a file may be in the midst of being written. */
const WAIT_MS = 1000;

/**
 * Reads manifests as a node would at its start, rivals included, without starting anything. What others may
 * write to is a warning here: the node that will read it may be on another machine.
 */
export async function checkManifests(
  sources: ManifestSources,
  nodeId: string,
): Promise<{ files: CheckedManifest[]; folders: readonly FolderFault[] }> {
  const manifests = new ManifestSet(sources);
  const searchPath = process.env['PATH'] ?? '';
  const endsMs = performance.now() + WAIT_MS;
  for (;;) {
    await manifests.look({ nodeId, clock: systemClock, starting: true, trust: null, searchPath });
    if (manifests.waitingMs === null || performance.now() >= endsMs) break;
    await sleep(manifests.waitingMs);
  }
  const { refusals } = resolveClaims(manifests.candidates([]));
  const trust = new TrustCheck();
  const files = [...manifests.files.values()].map(async (file): Promise<CheckedManifest> => {
    const refusal = refusals.find(({ source }) => source === file.path);
    const reading = file.reading ?? readManifest('', { file: file.path, nodeId });
    return {
      file: file.path,
      missing: file.gone,
      reading,
      definition: reading.definition,
      faults: refusal === undefined ? reading.faults : [...reading.faults, faultFromRefusal(refusal, file)],
      warnings: [
        ...reading.warnings,
        ...(file.gone ? [] : await distrustOf(file.path, reading.definition, trust)),
      ],
    };
  });
  return { files: await Promise.all(files), folders: manifests.listing.faults };
}

async function distrustOf(
  file: string,
  definition: ServiceDefinition | undefined,
  trust: TrustCheck,
): Promise<ManifestFault[]> {
  const drivers = definition === undefined ? [] : (await findDriverFiles(definition)).found;
  const warnings: ManifestFault[] = [];
  for (const { pointer, path } of [{ pointer: '', path: file }, ...drivers]) {
    const distrust = trust.file(path);
    if (distrust === null) continue;
    warnings.push({
      file,
      line: 1,
      column: 1,
      pointer,
      message: `A node would refuse this: ${distrust.message}.`,
      expected: 'a file that only its owner may write',
      got: 'one that others may write',
      hint: distrust.hint,
    });
  }
  return warnings;
}
