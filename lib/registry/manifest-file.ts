import { readlink } from 'node:fs/promises';
import { FsError, type Clock } from '../core/index.js';
import {
  type FaultWords,
  lineFromFault,
  readManifestBytes,
  refusedReading,
  type ManifestFault,
  type ManifestReading,
  type ServiceDefinition,
} from '../manifest/index.js';
import { findDriverFiles, searchPathOf } from './driver-files.js';
import { exposedFiles, type ExposureCheck } from './exposed-files.js';
import { changeTimeOf, readStable, signatureOf, type Signature } from './read-stable.js';
import type { TrustCheck } from '../drivers/index.js';

/** A change is believed once the file has been quiet for this long: half-written ones never are. */
const SETTLE_MS = 20;
/** A change that makes a manifest invalid is believed later: its writer may only be slow. */
const FAULT_SETTLE_MS = 250;
/** A file that is gone may be about to be replaced. */
const GONE_SETTLE_MS = 80;

export interface FileFacts {
  readonly nodeId: string;
  readonly clock: Clock;
  /** Nothing runs yet: a file's own times show whether it is being written. */
  readonly starting: boolean;
  /** Null where everything is trusted. */
  readonly trust: TrustCheck | null;
  /** Finds what others may write to through this very node. */
  readonly exposed?: ExposureCheck | undefined;
  readonly searchPath: string;
}

export type Look =
  { readonly type: 'same' } | { readonly type: 'wait'; readonly ms: number } | { readonly type: 'changed' };

/** One manifest file: what it says now, and what it gave when it was last accepted. */
export class ManifestFile {
  readonly path: string;
  /** What the text says; undefined before the first reading. */
  reading: ManifestReading | undefined;
  /** The file is not there. */
  gone = false;
  /** The last good definition, and the one that is running. */
  held: ServiceDefinition | undefined;
  /** What that offers beside itself, as it runs. */
  offered: readonly ServiceDefinition[] = [];
  /** What of the offers cannot be a service. */
  offerWarnings: readonly ManifestFault[] = [];
  /** A claim of this file that another source holds. */
  refusal: ManifestFault | undefined;
  loadedAtMs: number | null = null;
  #accepted: Signature | undefined;
  #seen: { signature: Signature; sinceMs: number } | undefined;
  /** What is wrong may be mended without touching the file: a driver installed, a folder's mode. */
  #recheck = false;

  constructor(path: string) {
    this.path = path;
  }

  /** The service that the file would give, were it not `"enabled": false`. */
  get disabled(): ServiceDefinition | undefined {
    const definition = this.reading?.definition;
    return definition?.enabled === false ? definition : undefined;
  }

  /** Everything that keeps the file from giving what it says. */
  get faults(): readonly ManifestFault[] {
    const own = this.reading?.faults ?? [];
    return this.refusal === undefined ? own : [...own, this.refusal];
  }

  /** What is odd about it, and about what it offers. */
  get warnings(): readonly ManifestFault[] {
    return [...(this.reading?.warnings ?? []), ...this.offerWarnings];
  }

  /** Looks at the file, and takes in what has changed once it is quiet. */
  async look(facts: FileFacts): Promise<Look> {
    const signature = await signatureOrGone(this.path);
    if (signature === this.#accepted && !this.#recheck) {
      this.#seen = undefined;
      return { type: 'same' };
    }
    const now = performance.now();
    const quietMs = signature === this.#accepted ? Infinity : this.#quietMs(signature, now, facts.starting);
    const needMs = signature === GONE ? GONE_SETTLE_MS : SETTLE_MS;
    if (quietMs < needMs && !(signature === GONE && facts.starting))
      return { type: 'wait', ms: needMs - quietMs };
    if (signature === GONE) {
      this.gone = true;
      this.reading = undefined;
      this.#accept(signature, facts);
      return { type: 'changed' };
    }
    const taken = await this.#take(signature, facts);
    if (taken === undefined) {
      this.#seen = undefined;
      return { type: 'wait', ms: SETTLE_MS };
    }
    const wasGood = this.reading === undefined || this.reading.faults.length === 0;
    if (taken.faults.length > 0 && wasGood && quietMs < FAULT_SETTLE_MS)
      return { type: 'wait', ms: FAULT_SETTLE_MS - quietMs };
    const before = this.gone ? undefined : this.reading;
    this.gone = false;
    this.reading = taken;
    this.#accept(signature, facts);
    return before !== undefined && sameReading(before, taken) ? { type: 'same' } : { type: 'changed' };
  }

  /** How long the file has been as it is, by our own observation; at the start by its own times. */
  #quietMs(signature: Signature, now: number, starting: boolean): number {
    if (this.#seen?.signature !== signature) {
      const changedAtMs = starting ? changeTimeOf(signature) : undefined;
      const ageMs = changedAtMs === undefined ? 0 : Math.max(0, Date.now() - changedAtMs);
      this.#seen = { signature, sinceMs: now - ageMs };
    }
    return now - this.#seen.sinceMs;
  }

  #accept(signature: Signature, { clock }: FileFacts): void {
    this.#accepted = signature;
    this.#seen = undefined;
    this.loadedAtMs = clock.now();
  }

  async #take(signature: Signature, facts: FileFacts): Promise<ManifestReading | undefined> {
    if (signature.startsWith(DANGLING)) return refusedReading(this.path, danglingFault(signature));
    this.#recheck = true;
    try {
      const stable = await readStable(this.path, signature);
      if (stable === undefined) return undefined;
      if (stable.bytes === null) return refusedReading(this.path, NOT_A_FILE);
      const distrust = facts.trust === null ? null : facts.trust.file(this.path);
      if (distrust !== null) {
        const words = { message: `${distrust.message}.`, hint: distrust.hint };
        return refusedReading(this.path, { ...UNTRUSTED, ...words });
      }
      const reading = readManifestBytes(stable.bytes, { file: this.path, nodeId: facts.nodeId });
      const complete = await withDrivers(reading, this.path, facts);
      this.#recheck = complete !== reading;
      return complete;
    } catch (thrown) {
      const error = FsError.from(thrown);
      if (error.code === 'ENOENT') return undefined;
      return refusedReading(this.path, {
        message: `The manifest cannot be read (${error.code}).`,
        expected: 'a file that can be read',
        got: error.code,
        hint: `Check the permissions of ${this.path}.`,
      });
    }
  }
}

function danglingFault(signature: Signature): FaultWords {
  return {
    message: 'The manifest is a link that leads to nothing.',
    expected: 'a file',
    got: `a link to ${JSON.stringify(signature.slice(DANGLING.length))}`,
    hint: 'Put the file there, or remove the link.',
  };
}

const NOT_A_FILE = {
  message: 'The manifest is not a regular file.',
  expected: 'a file',
  got: 'something else',
  hint: 'Name a JSON file.',
};
const UNTRUSTED = {
  expected: 'a file that only its owner may write',
  got: 'one that others may write',
};

/** Stands for a file that is not there. */
const GONE: Signature = 'gone';
/** Stands for a link to one, which follows. */
const DANGLING = 'dangling ';

async function danglingOr(path: string, otherwise: Signature): Promise<Signature> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? otherwise : `${DANGLING}${target}`;
}

async function signatureOrGone(path: string): Promise<Signature> {
  try {
    return await signatureOf(path);
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'ENOTDIR') return danglingOr(path, GONE);
    return `unreadable:${code}`;
  }
}

/** Adds what is wrong with the files that the definition runs: writable ones are faults, missing ones warnings. */
export async function withDrivers(
  reading: ManifestReading,
  file: string,
  facts: FileFacts,
): Promise<ManifestReading> {
  if (reading.definition?.enabled !== true) return reading;
  const { found, missing } = await findDriverFiles(reading.definition, facts.searchPath);
  const warnings = missing.map(({ pointer, fault }) => ({
    ...reading.place(pointer),
    file,
    message: `${fault.message} The service is listed, but its calls fail.`,
    expected: 'a file that can be run',
    got: fault.code,
    hint: fault.hint ?? '',
  }));
  const faults: ManifestFault[] = [];
  if (facts.trust !== null)
    for (const { pointer, path } of found) {
      const distrust = facts.trust.file(path);
      if (distrust !== null)
        faults.push({
          ...reading.place(pointer),
          file,
          ...UNTRUSTED,
          message: `The driver cannot be trusted: ${distrust.message}.`,
          hint: distrust.hint,
        });
    }
  if (facts.exposed !== undefined)
    for (const file_ of exposedFiles(
      reading.definition,
      found,
      searchPathOf(reading.definition, facts.searchPath),
      facts.exposed,
    ))
      faults.push({
        ...reading.place(file_.pointer),
        file,
        ...UNTRUSTED,
        message: `The driver cannot be trusted: ${file_.message}.`,
        hint: file_.hint,
      });
  if (faults.length === 0 && warnings.length === 0) return reading;
  return {
    ...reading,
    ...(faults.length > 0 ? { definition: undefined } : {}),
    faults,
    warnings: [...reading.warnings, ...warnings],
  };
}

function sameReading(a: ManifestReading, b: ManifestReading): boolean {
  const faults = (reading: ManifestReading): string =>
    [...reading.faults, ...reading.warnings].map(lineFromFault).join('\n');
  return (
    a.definition?.digest === b.definition?.digest &&
    a.definition?.descriptorDigest === b.definition?.descriptorDigest &&
    faults(a) === faults(b)
  );
}
