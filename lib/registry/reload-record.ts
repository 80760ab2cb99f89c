import { changedPointers, recordedDescriptor, type JsonObject } from '../core/index.js';
import {
  boundedFields,
  lineFromFault,
  type ManifestFault,
  type ManifestReading,
  type ServiceDefinition,
} from '../manifest/index.js';
import type { FolderFault } from './list-manifests.js';
import type { ManifestFile } from './manifest-file.js';

export type ReloadOutcome =
  'added' | 'updated' | 'kept' | 'unchanged' | 'removed' | 'refused' | 'last-good' | 'disabled';

interface RecordedFault extends JsonObject {
  readonly line: number;
  readonly column: number;
  readonly pointer: string;
  readonly message: string;
  readonly expected: string;
  readonly got: string;
  readonly hint: string;
  /** The line, as far as it may be shown, and what points to the place in it; null where there is no text. */
  readonly source: string | null;
  readonly caret: string | null;
}

/** What a reload made of one file. */
interface RecordedFile extends JsonObject {
  readonly path: string;
  /** Of its text with the values of `env` masked; null where there is no text. */
  readonly digest: string | null;
  readonly outcome: ReloadOutcome;
  readonly services: string[];
  readonly version: string | null;
  readonly previous_version: string | null;
  readonly fields: string[];
  /** The older version that runs in place of what the file says. */
  readonly still_runs: {
    readonly service_id: string;
    readonly version: string;
    readonly digest: string;
  } | null;
  readonly faults: RecordedFault[];
  readonly warnings: RecordedFault[];
}

/** What a reload of manifests did, file by file. */
export interface ReloadRecord extends JsonObject {
  readonly timestamp_ms: number;
  readonly reason: 'start' | 'change';
  readonly files: RecordedFile[];
  /** How many files are left out. */
  readonly more: number;
  readonly folders: { readonly path: string; readonly message: string; readonly hint: string }[];
}

/** What a file gave before. */
export interface ServedBefore {
  readonly serviceId: string;
  readonly version: string;
  /** Of the descriptor. */
  readonly descriptorDigest: string;
  /** Of all that the manifest means; absent where only the descriptor is known. */
  readonly digest?: string;
  readonly descriptor: JsonObject;
  /** What it offered beside itself: digests by service; absent where that is not known. */
  readonly offered?: ReadonlyMap<string, string>;
}

/** Files that a record has, and characters of JSON; the most telling come first. */
const MAX_FILES = 1000;
const MAX_CHARS = 192 * 1024;
const MAX_FAULTS = 16;
const MAX_FOLDERS = 64;
const MAX_OFFERS = 256;
const MAX_TEXT = 1024;

/** Makes the record of each reload, by what the one before left. */
export class ReloadRecorder {
  readonly #before: Map<string, ServedBefore>;
  /** Of the texts, as the last record has them. */
  readonly #digests = new Map<string, string | null>();
  #faults = '';
  #folders = '';

  /** @param before by source, what the files gave when they were read last, in an earlier life of the node */
  constructor(before: ReadonlyMap<string, ServedBefore>) {
    this.#before = new Map(before);
  }

  /** Whether other folders than before cannot be used. */
  isOther(folders: readonly FolderFault[]): boolean {
    return signatureOf([], folders) !== this.#folders;
  }

  /** Undefined where nothing changed, and the same is wrong as before. */
  record(
    files: Iterable<ManifestFile>,
    folders: readonly FolderFault[],
    { nowMs, reason }: Pick<ReloadRecord, 'reason'> & { readonly nowMs: number },
  ): ReloadRecord | undefined {
    const left = new Map(this.#before);
    const recorded = [...files].flatMap((file): RecordedFile[] => {
      const before = left.get(file.path);
      left.delete(file.path);
      if (file.gone && before === undefined) return [];
      return [recordOfFile(file, before, this.#digests.get(file.path))];
    });
    recorded.push(...[...left].map(([path, before]) => removal(path, before)));
    const faults = signatureOf(recorded, folders);
    const isNews =
      faults !== this.#faults ||
      recorded.some(({ outcome }) => ['added', 'updated', 'removed'].includes(outcome));
    this.#faults = faults;
    this.#folders = signatureOf([], folders);
    this.#remember(files);
    if (!isNews) return undefined;
    this.#digests.clear();
    for (const { path, digest } of recorded) this.#digests.set(path, digest);
    const shown = bounded(recorded);
    return {
      timestamp_ms: nowMs,
      reason,
      files: shown,
      more: recorded.length - shown.length,
      folders: folders.slice(0, MAX_FOLDERS).map(({ folder, message, hint }) => ({
        path: cut(folder),
        message: cut(message),
        hint: cut(hint),
      })),
    };
  }

  #remember(files: Iterable<ManifestFile>): void {
    this.#before.clear();
    for (const { path, held, offered } of files)
      if (held !== undefined) this.#before.set(path, { ...held, offered: digestsOf(offered) });
  }
}

/** `digestBefore` is undefined where the text before is not known. */
function recordOfFile(
  file: ManifestFile,
  before: ServedBefore | undefined,
  digestBefore: string | null | undefined,
): RecordedFile {
  const { path, held, reading, faults } = file;
  const digest = reading?.textDigest() ?? null;
  if (held === undefined && before !== undefined && faults.length === 0)
    return { ...removal(path, before), digest, warnings: faultsOf(file.warnings, reading) };
  const outcome = outcomeOf(file, before, digestBefore !== undefined && digestBefore !== digest);
  const shown = held ?? file.disabled ?? reading?.definition;
  const isUpdate = outcome === 'updated' && before !== undefined && held !== undefined;
  const fields = isUpdate
    ? changedPointers(recordedDescriptor(before.descriptor), recordedDescriptor(held.descriptor))
    : [];
  return {
    path: cut(path),
    digest,
    outcome,
    services: [
      ...new Set(
        [
          shown?.serviceId,
          isUpdate ? before.serviceId : undefined,
          ...otherOffers(file, before).slice(0, MAX_OFFERS),
        ].filter((id) => id !== undefined),
      ),
    ],
    version: shown === undefined ? null : cut(shown.version),
    previous_version: before === undefined ? null : cut(before.version),
    fields: [...boundedFields(fields)],
    still_runs: outcome === 'last-good' && held !== undefined ? runningOf(held) : null,
    faults: faultsOf(faults, reading),
    warnings: faultsOf(file.warnings, reading),
  };
}

function digestsOf(offered: ManifestFile['offered']): ReadonlyMap<string, string> {
  return new Map(offered.map(({ serviceId, digest }) => [serviceId, digest]));
}

/** What the service of a file offers otherwise than before. */
function otherOffers({ offered }: ManifestFile, before: ServedBefore | undefined): string[] {
  if (before !== undefined && before.offered === undefined) return [];
  const was = before?.offered ?? new Map<string, string>();
  const is = digestsOf(offered);
  return [...new Set([...was.keys(), ...is.keys()])].filter((id) => was.get(id) !== is.get(id));
}

function outcomeOf(
  file: ManifestFile,
  before: ServedBefore | undefined,
  isRewritten: boolean,
): ReloadOutcome {
  const { held, disabled, faults } = file;
  if (faults.length > 0) return held === undefined ? 'refused' : 'last-good';
  if (disabled !== undefined) return 'disabled';
  if (held === undefined) return 'refused';
  if (before === undefined) return 'added';
  const isSame =
    before.digest === undefined
      ? before.descriptorDigest === held.descriptorDigest
      : before.digest === held.digest;
  if (!isSame || otherOffers(file, before).length > 0) return 'updated';
  return isRewritten ? 'kept' : 'unchanged';
}

function removal(path: string, { serviceId, version, offered }: ServedBefore): RecordedFile {
  const services = [serviceId, ...[...(offered ?? [])].slice(0, MAX_OFFERS).map(([id]) => id)];
  return {
    ...{ path: cut(path), digest: null, outcome: 'removed', services },
    ...{
      version: null,
      previous_version: cut(version),
      fields: [],
      still_runs: null,
      faults: [],
      warnings: [],
    },
  };
}

function runningOf({ serviceId, version, descriptorDigest }: ServiceDefinition): RecordedFile['still_runs'] {
  return { service_id: serviceId, version: cut(version), digest: descriptorDigest };
}

function faultsOf(faults: readonly ManifestFault[], reading: ManifestReading | undefined): RecordedFault[] {
  return faults.slice(0, MAX_FAULTS).map((fault) => {
    const { source = null, caret = null } = reading?.excerpt(fault) ?? {};
    const { line, column, pointer, message, expected, got, hint } = fault;
    return {
      ...{ line, column, pointer: cut(pointer), message: cut(message) },
      ...{ expected: cut(expected), got: cut(got), hint: cut(hint), source, caret },
    };
  });
}

/** What is wrong, or left out, to see whether it is as before. */
function signatureOf(files: readonly RecordedFile[], folders: readonly FolderFault[]): string {
  const lines = files
    .filter(({ outcome, faults }) => faults.length > 0 || outcome === 'disabled')
    .map(({ path, outcome, faults }) =>
      [outcome, ...faults.map((fault) => lineFromFault({ ...fault, file: path }))].join('\n'),
    );
  return [...lines, ...folders.map(({ folder, message }) => `${folder} ${message}`)].join('\n');
}

const TELLING: Readonly<Record<ReloadOutcome, number>> = {
  ...{ refused: 0, 'last-good': 0, updated: 1, added: 1, removed: 1 },
  ...{ disabled: 2, kept: 3, unchanged: 4 },
};

/** In their order, as many as a record takes; those that say least are left out. */
function bounded(files: readonly RecordedFile[]): RecordedFile[] {
  const byInterest = [...files].sort((a, b) => TELLING[a.outcome] - TELLING[b.outcome]);
  const taken = new Set<RecordedFile>();
  let chars = 0;
  for (const file of byInterest) {
    chars += JSON.stringify(file).length;
    if (taken.size >= MAX_FILES || chars > MAX_CHARS) break;
    taken.add(file);
  }
  return files.filter((file) => taken.has(file));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`;
}
