import { changedPointers, lastingDescriptor, type JsonObject, type ServiceId } from '../core/index.js';
import { descriptorDiff, offererOf, type ManifestFault } from '../manifest/index.js';
import type { CheckedManifest } from './check-manifests.js';
import { resolveClaims, type Candidate, type Claims } from './resolve-claims.js';
import { faultFromRefusal } from './start-refusal.js';

/** A service that runs, and where it comes from: a file, as its node names it, or the name of what is built in. */
export interface RunningService extends Claims {
  readonly source: string;
  readonly descriptor: JsonObject;
}

/** What becomes of a manifest; `last-good`: it is refused, and the service that it gave before runs on. */
export type PlannedOutcome =
  'added' | 'updated' | 'unchanged' | 'removed' | 'disabled' | 'refused' | 'last-good';

export interface PlannedFile {
  /** Null where there is none any more, and its service goes. */
  readonly file: string | null;
  readonly outcome: PlannedOutcome;
  readonly serviceId: ServiceId | null;
  readonly version: string | null;
  readonly previousVersion: string | null;
  /** JSON Pointers into the descriptor. */
  readonly fields: readonly string[];
  readonly diff: string;
  readonly faults: readonly ManifestFault[];
  readonly warnings: readonly ManifestFault[];
}

export interface ReloadPlan {
  readonly files: readonly PlannedFile[];
  /** Services from elsewhere, which stay as they are. */
  readonly kept: readonly ServiceId[];
}

/**
 * What a reload would do to what runs if these were the files. `sourceOf` says how the node names a file;
 * `isReplaced`, whether a source is one of those in whose place the files stand. Pure.
 */
export function planReload(
  files: readonly CheckedManifest[],
  running: readonly RunningService[],
  sourceOf: (file: string) => string,
  isReplaced: (source: string) => boolean,
): ReloadPlan {
  const isOffered = ({ descriptor }: RunningService): boolean => offererOf(descriptor) !== undefined;
  const own = running.filter((service) => !isOffered(service));
  const heldBy = new Map(own.map((service) => [service.source, service]));
  const others = own.filter(({ source }) => !isReplaced(source));
  const candidates: Candidate<Claims>[] = [
    ...others.map((service) => ({ source: service.source, wanted: service, held: service })),
    ...files
      .filter(({ definition }) => definition?.enabled !== false)
      .map(({ file, definition }) => ({
        source: sourceOf(file),
        wanted: definition,
        held: heldBy.get(sourceOf(file)),
      })),
  ];
  const { chosen, refusals } = resolveClaims(candidates);
  const runsAs = new Map<string, RunningService>(running.map((service) => [service.serviceId, service]));
  const stays = new Set<string>([...chosen.values()].map(({ serviceId }) => serviceId));
  const planned = files.map((file): PlannedFile => {
    const source = sourceOf(file.file);
    const refusal = refusals.find((one) => one.source === source);
    const faults =
      refusal === undefined
        ? file.faults
        : [...file.faults, faultFromRefusal(refusal, { path: file.file, reading: file.reading })];
    return plannedFile({ ...file, faults }, heldBy.get(source), runsAs);
  });
  // What a service offers beside itself stays as long as it does, as far as anybody knows.
  const offered = running.filter((service) => isOffered(service) && !stays.has(service.serviceId));
  const isLeft = ({ descriptor }: RunningService): boolean => stays.has(offererOf(descriptor) ?? '');
  const gone = [
    ...own.filter(({ source, serviceId }) => isReplaced(source) && !stays.has(serviceId)),
    ...offered.filter((service) => !isLeft(service)),
  ];
  const shown = new Set(
    planned.filter(({ outcome }) => outcome === 'removed').map(({ serviceId }) => serviceId),
  );
  return {
    files: [...planned, ...gone.filter(({ serviceId }) => !shown.has(serviceId)).map(removal)],
    kept: [...others, ...offered.filter(isLeft)].map(({ serviceId }) => serviceId),
  };
}

function plannedFile(
  { file, definition, faults, warnings }: CheckedManifest,
  held: RunningService | undefined,
  runsAs: ReadonlyMap<string, RunningService>,
): PlannedFile {
  const said = { file, faults, warnings };
  if (faults.length > 0) {
    const version = versionOf(held);
    return held === undefined
      ? { ...said, ...NOTHING, outcome: 'refused', serviceId: definition?.serviceId ?? null }
      : {
          ...said,
          ...NOTHING,
          outcome: 'last-good',
          serviceId: held.serviceId,
          version,
          previousVersion: version,
        };
  }
  if (definition === undefined) return { ...said, ...NOTHING, outcome: 'refused', serviceId: null };
  if (!definition.enabled)
    return held === undefined
      ? { ...said, ...NOTHING, outcome: 'disabled', serviceId: definition.serviceId }
      : { ...removal(held), ...said };
  const before = runsAs.get(definition.serviceId);
  const after = definition.descriptor;
  const old = before === undefined ? undefined : lastingDescriptor(before.descriptor);
  const fields = changedPointers(old, lastingDescriptor(after));
  return {
    ...said,
    outcome: before === undefined ? 'added' : fields.length > 0 ? 'updated' : 'unchanged',
    serviceId: definition.serviceId,
    version: definition.version,
    previousVersion: versionOf(before),
    fields: before === undefined ? [] : fields,
    diff: diffOf(definition.serviceId, before?.descriptor ?? null, after),
  };
}

function removal(service: RunningService): PlannedFile {
  return {
    file: null,
    outcome: 'removed',
    serviceId: service.serviceId,
    version: null,
    previousVersion: versionOf(service),
    fields: [],
    diff: diffOf(service.serviceId, service.descriptor, null),
    faults: [],
    warnings: [],
  };
}

const NOTHING = { version: null, previousVersion: null, fields: [], diff: '' } as const;

function versionOf(service: RunningService | undefined): string | null {
  const version = service?.descriptor['version'];
  return typeof version === 'string' ? version : null;
}

function diffOf(serviceId: string, before: JsonObject | null, after: JsonObject | null): string {
  const version = (name: string, descriptor: JsonObject | null) => ({
    name: `${name}/${serviceId}.json`,
    descriptor,
  });
  return descriptorDiff(version('running', before), version('planned', after));
}
