import { dirname } from 'node:path';
import { readManifest, type ServiceDefinition } from '../manifest/index.js';
import type { CheckedManifest } from './check-manifests.js';
import { withDrivers, type FileFacts } from './manifest-file.js';
import { planReload, type ReloadPlan, type RunningService } from './plan-reload.js';

/**
 * What a reload would do to what runs if these were the texts of these files (null: there is no such file), and nothing else
 * were in the folders `inPlaceOf`. Programs are looked up as a reload does.
 */
export async function planTexts(
  texts: ReadonlyMap<string, string | null>,
  inPlaceOf: ReadonlySet<string>,
  services: ReadonlyMap<string, ServiceDefinition>,
  facts: FileFacts,
): Promise<ReloadPlan> {
  const files: CheckedManifest[] = [];
  for (const [file, text] of texts) {
    if (text === null) continue;
    const reading = await withDrivers(readManifest(text, { file, nodeId: facts.nodeId }), file, facts);
    const { definition, faults, warnings } = reading;
    files.push({ file, missing: false, reading, definition, faults, warnings });
  }
  const running = [...services.values()].map(({ serviceId, source, descriptor, mounts }): RunningService => ({
    serviceId,
    source,
    descriptor,
    mounts,
  }));
  const isReplaced = (source: string): boolean => texts.has(source) || inPlaceOf.has(dirname(source));
  return planReload(files, running, (file) => file, isReplaced);
}
