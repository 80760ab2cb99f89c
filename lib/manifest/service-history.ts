import { changedPointers, lineFromJson, type JsonObject, type JsonValue } from '../core/index.js';
import { descriptorDiff } from './descriptor-diff.js';

export type HistoryChange = 'added' | 'updated' | 'removed' | 'enabled' | 'disabled' | 'config';

/** What an admin did to a service, in place of its manifest. */
export type ControlChange = Extract<HistoryChange, 'enabled' | 'disabled' | 'config'>;

const BY_CONTROL = new Map<unknown, ControlChange>([
  ['enable', 'enabled'],
  ['disable', 'disabled'],
  ['config', 'config'],
]);

/** What the `op` of a `service_control` event changes for good; undefined for one that does not. */
export function changeByControl(op: unknown): ControlChange | undefined {
  return BY_CONTROL.get(op);
}

/** One change of a service, as it was recorded. */
export interface RecordedChange {
  readonly revision: number;
  readonly timestampMs: number;
  readonly change: HistoryChange;
  /** Of the version that came by it; null where none did. */
  readonly version: string | null;
  readonly hash: string | null;
  /** JSON Pointers into the descriptor. */
  readonly fields: readonly string[];
  /** The manifest that the version is from, a path of its machine; null where that is not known. */
  readonly source: string | null;
}

/** What is recorded of one service. */
export interface ServiceRecords {
  readonly serviceId: string;
  /** Oldest first. */
  readonly changes: readonly RecordedChange[];
  /** What the version that came by the change said of who may use it. */
  permissionsOf(change: RecordedChange): JsonValue | undefined;
  /** The version that came by the change (`recordedDescriptor`). */
  descriptorOf(change: RecordedChange): JsonObject;
}

/** Where nothing is recorded. */
export const NO_RECORDS: ServiceRecords = {
  serviceId: '',
  changes: [],
  permissionsOf: () => undefined,
  descriptorOf: () => ({}),
};

/** Whether who asks may see a version with these permissions. */
export type SeesVersion = (permissions: JsonValue | undefined) => boolean;

/** One change of a service, as one session sees it. */
export interface ShownChange {
  /** The number of its files: the revision to admins, to users a count of their own. */
  readonly n: number;
  readonly recorded: RecordedChange;
  readonly change: HistoryChange;
  /** What brought the version that is in force from then on; null where the service is gone. */
  readonly version: RecordedChange | null;
  /** What brought the version before, as far as who asks may know of it. */
  readonly previous: { readonly n: number; readonly version: RecordedChange } | null;
  readonly fields: readonly string[];
}

/** All that is recorded, as an admin sees it. Pure. */
export function historyForAdmins({ changes }: ServiceRecords): ShownChange[] {
  let previous: ShownChange['previous'] = null;
  return changes.flatMap((recorded) => {
    const { change, revision: n, fields } = recorded;
    const before = previous;
    const isVersion = change === 'added' || change === 'updated';
    if (isVersion) previous = { n, version: recorded };
    else if (change === 'removed') previous = null;
    // What it was done to is no longer kept.
    else if (before === null) return [];
    const version = isVersion ? recorded : change === 'removed' ? null : (before?.version ?? null);
    return [{ n, recorded, change, version, previous: before, fields }];
  });
}

/**
 * The same as a user sees it: versions that are hidden from him never were, and what he sees is counted from 1. The first
 * version that he sees is added, whatever it was in truth. Pure.
 */
export function historyForUser(records: ServiceRecords, sees: SeesVersion): ShownChange[] {
  const shown: ShownChange[] = [];
  let previous: ShownChange['previous'] = null;
  /** Whether what is in force is what he saw last; hidden versions lie in between otherwise. */
  let isPresent = false;
  const push = (recorded: RecordedChange, more: Pick<ShownChange, 'change' | 'version' | 'fields'>): void => {
    shown.push({ n: shown.length + 1, recorded, previous, ...more });
  };
  for (const recorded of records.changes) {
    const { change } = recorded;
    if (change === 'added' || change === 'updated') {
      const wasPresent = isPresent;
      isPresent = sees(records.permissionsOf(recorded));
      if (!isPresent) continue;
      const before: RecordedChange | undefined = previous?.version;
      if (before === undefined) push(recorded, { change: 'added', version: recorded, fields: [] });
      else {
        const fields =
          wasPresent && change === 'updated' ? recorded.fields : fieldsBetween(records, before, recorded);
        if (fields.length === 0) continue;
        push(recorded, { change: 'updated', version: recorded, fields });
      }
      previous = { n: shown.length, version: recorded };
    } else if (isPresent && previous !== null) {
      const version = change === 'removed' ? null : previous.version;
      push(recorded, { change, version, fields: recorded.fields });
      if (change === 'removed') {
        previous = null;
        isPresent = false;
      }
    } else if (change === 'removed') isPresent = false;
  }
  return shown;
}

function fieldsBetween(
  records: ServiceRecords,
  before: RecordedChange,
  after: RecordedChange,
): readonly string[] {
  return boundedFields(changedPointers(records.descriptorOf(before), records.descriptorOf(after)));
}

const MAX_FIELDS = 64;
const MAX_FIELD_CHARS = 4096;

/** Where a version differs from the one before, cut to a size: whole fields instead, or the document as a whole. */
export function boundedFields(pointers: readonly string[]): readonly string[] {
  const isSmall = (list: readonly string[]): boolean =>
    list.length <= MAX_FIELDS && list.reduce((sum, { length }) => sum + length, 0) <= MAX_FIELD_CHARS;
  if (isSmall(pointers)) return pointers;
  const fields = [...new Set(pointers.map((pointer) => pointer.split('/', 2).join('/')))];
  return isSmall(fields) ? fields : [''];
}

/** A change as JSON: a line of `HISTORY.ndjson`. What is for admins alone is left out for users. */
export function changeAsJson(shown: ShownChange, isAdmin: boolean): JsonObject {
  const { n, recorded, change, version, previous, fields } = shown;
  return {
    ...(isAdmin ? { revision: n } : { seq: n }),
    timestamp_ms: recorded.timestampMs,
    change,
    version: version?.version ?? null,
    hash: version?.hash ?? null,
    previous_version: previous?.version.version ?? null,
    previous_hash: previous?.version.hash ?? null,
    fields: [...fields],
    ...(isAdmin ? { source: (version ?? previous?.version)?.source ?? null } : {}),
  };
}

/** `HISTORY.ndjson`. */
export function historyLines(shown: readonly ShownChange[], isAdmin: boolean): Buffer {
  return Buffer.from(shown.map((change) => lineFromJson(changeAsJson(change, isAdmin))).join(''));
}

/** The descriptor that is in force after the change; null where the service is gone. */
export function descriptorAfter(records: ServiceRecords, { version }: ShownChange): JsonObject | null {
  return version === null ? null : records.descriptorOf(version);
}

/** What leads to it from the version before, as `diff -u` prints it; empty where nothing differs. */
export function diffOfChange(records: ServiceRecords, shown: ShownChange): string {
  const { n, previous, version } = shown;
  if (previous?.version.revision === version?.revision) return '';
  const nameOf = (number: number): string => `${records.serviceId}/${number}.json`;
  return descriptorDiff(
    {
      name: nameOf(previous?.n ?? 0),
      descriptor: previous === null ? null : records.descriptorOf(previous.version),
    },
    { name: nameOf(n), descriptor: descriptorAfter(records, shown) },
  );
}
