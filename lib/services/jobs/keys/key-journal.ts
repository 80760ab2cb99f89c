import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dropOldest, FsError, type JsonObject, type Log, reasonOf } from '../../../core/index.js';
import { makeDirs } from '../../../linux/index.js';
import { keepAside, readLogFacts, writeLogFacts, type LogFacts } from '../../../disk/index.js';
import { acceptHeader, endFromHeader, jobFromHeader, keyEndHeader } from '../job-records.js';
import { isKeyed, type Job, type KeyedJob } from '../job.js';
import { keyName, keyNameOf } from './key-name.js';
import { KeySegment } from './key-segment.js';
import { hashOfKey, hashOfPrincipal, type KeyHash, type Place } from './key-table.js';
import { KeyTotals } from './key-totals.js';
import { loadSegment } from './load-segment.js';

export interface KeyJournalOptions {
  readonly dir: string;
  readonly fsync: boolean;
  readonly now: () => number;
  /** How long a key is remembered. */
  readonly keyMs: number;
  /** How many keys of one principal, and how many bytes of their records; all principals have four times that. */
  readonly maxKeys: number;
  readonly maxKeyBytes: number;
  /** A segment is full when it holds so many. */
  readonly segmentKeys?: number;
  readonly log: Log;
}

/** As many jobs of keys are kept in memory once they were asked for. */
const CACHED = 1024;
const SEGMENT_KEYS = 16_384;
/** Four principals at their limits fill a service. */
const SHARES = 4;

/**
 * The keys of one service, on disk, each with its outcome, whatever becomes of the job. What is in memory is a
 * table of 16 bytes for each key. A record is in the file when `accept` or `end` returns.
 */
export class KeyJournal {
  readonly #options: KeyJournalOptions;
  /** Oldest first. */
  readonly #segments: KeySegment[] = [];
  readonly #totals = new KeyTotals();
  readonly #cache = new Map<string, KeyedJob>();
  #facts: LogFacts;
  #active: KeySegment | null = null;

  /** @throws FsError when its files cannot be read, EPROTO when a newer format wrote them. */
  constructor(options: KeyJournalOptions) {
    const { dir, log, fsync } = options;
    this.#options = options;
    const numbers = numbersIn(dir);
    this.#facts = readLogFacts(dir, log);
    const newest = Math.max(this.#facts.to, numbers.at(-1) ?? 0);
    for (let number = this.#facts.from || (numbers[0] ?? 1); number <= newest; number++)
      if (!numbers.includes(number))
        log.error('Files of the log of keys are missing: keys that they held may run again.', {
          file: join(dir, `${String(number).padStart(8, '0')}.*`),
        });
    for (const number of numbers) {
      const loaded = loadSegment({ dir, number, isNewest: number === newest, fsync, log });
      this.#segments.push(loaded.segment);
      this.#totals.add(loaded.segment.totals);
      if (loaded.grows) this.#active = loaded.segment;
    }
  }

  /** Whether a principal has no key left, and when it has one again. */
  refusal(principal: string): FsError | null {
    this.#expire();
    const { maxKeys, maxKeyBytes, keyMs, now } = this.#options;
    const hash = hashOfPrincipal(principal);
    const own = this.#totals.get(hash);
    const { all } = this.#totals;
    const ownFull = own !== undefined && (own.keys >= maxKeys || own.bytes >= maxKeyBytes);
    if (!ownFull && all.keys < maxKeys * SHARES && all.bytes < maxKeyBytes * SHARES) return null;
    const holder = this.#segments.find(({ totals }) => !ownFull || totals.get(hash) !== undefined);
    const atMs = (holder?.totals.newestMs ?? now()) + keyMs;
    return new FsError(
      'EBUSY',
      'As many keys are kept for this service as may be: it takes no new "_key" now.',
      {
        hint: `Keys are kept for ${Math.round(keyMs / 3_600_000)} hours; the oldest go at ${new Date(atMs).toISOString()}. Call without a "_key", or have an admin raise --keys-keep or --keys-keep-bytes.`,
      },
    );
  }

  accept(job: KeyedJob): void {
    this.#append(job, acceptHeader(job), new Uint8Array());
  }

  end(job: KeyedJob, result: Uint8Array): void {
    this.#append(job, keyEndHeader(job), result);
  }

  /** What is known of a key without reading its record. */
  state(principal: string, key: string): 'unknown' | 'accepted' | 'ended' {
    const place = this.#placeOf(hashOfKey(principal, key))?.place;
    return place === undefined ? 'unknown' : place.ended ? 'ended' : 'accepted';
  }

  /**
   * The job of a key as it ended, or as one whose end is not known; undefined for a key that is free.
   * @throws FsError EIO when what is known of the key is damaged: it may have run.
   */
  find(principal: string, key: string): KeyedJob | undefined {
    const name = keyName(principal, key);
    const job = this.#cache.get(name) ?? this.#read(principal, key);
    if (job === undefined || job.acceptedAtMs <= this.#oldestMs) return undefined;
    this.#keep(name, job);
    return job;
  }

  /** The newest keys of a principal, oldest first. */
  newest(principal: string, max: number): KeyedJob[] {
    const hash = hashOfPrincipal(principal);
    const found = new Map<string, KeyedJob>();
    for (const segment of this.#segments.toReversed()) {
      const places = segment.totals.get(hash) === undefined ? [] : segment.placesOf(hash);
      for (const place of places.sort((a, b) => b.offset - a.offset)) {
        if (found.size >= max) break;
        const record = segment.recordAt(place, false);
        if (record?.header.principal !== principal || typeof record.header.key !== 'string') continue;
        const { key } = record.header;
        if (found.has(key) || Number(record.header.at) <= this.#oldestMs) continue;
        const name = keyName(principal, key);
        const job = this.#cache.get(name) ?? jobFromRecord(segment, record);
        if (!isKeyed(job)) continue;
        this.#keep(name, job);
        found.set(key, job);
      }
    }
    return [...found.values()].reverse();
  }

  /** When the newest key of a principal was accepted. */
  newestMs(principal: string): number | null {
    return this.#totals.get(hashOfPrincipal(principal))?.newestMs ?? null;
  }

  sync(): void {
    this.#active?.sync();
  }

  close(): void {
    this.#active?.close();
  }

  get #oldestMs(): number {
    return this.#options.now() - this.#options.keyMs;
  }

  #append(job: KeyedJob, header: JsonObject, body: Uint8Array): void {
    this.#cache.delete(keyNameOf(job));
    const { entry } = this.#writable().append(header, body);
    this.#totals.count(entry);
  }

  #writable(): KeySegment {
    const { dir, fsync, segmentKeys = SEGMENT_KEYS } = this.#options;
    if (this.#active?.isFull(segmentKeys) === false) return this.#active;
    this.#active?.seal();
    this.#active = null;
    this.#expire();
    makeDirs(dir, 0o700);
    const number = Math.max(this.#facts.to, this.#segments.at(-1)?.number ?? 0) + 1;
    const segment = KeySegment.create(dir, number, fsync);
    this.#active = segment;
    this.#segments.push(segment);
    const [oldest = segment] = this.#segments;
    this.#setFacts({ from: oldest.number, to: number });
    return segment;
  }

  /** Deletes the oldest segments all of whose keys are so old that they are free. */
  #expire(): void {
    const dead: KeySegment[] = [];
    for (const segment of this.#segments) {
      if (segment === this.#active || segment.totals.newestMs > this.#oldestMs) break;
      dead.push(segment);
    }
    const last = dead.at(-1);
    if (last === undefined) return;
    this.#setFacts({ ...this.#facts, from: last.number + 1 });
    for (const segment of dead) {
      this.#segments.shift();
      this.#totals.subtract(segment.totals);
      segment.remove();
    }
  }

  #setFacts(facts: Omit<LogFacts, 'salt'>): void {
    this.#facts = { ...this.#facts, ...facts };
    writeLogFacts(this.#options.dir, this.#facts);
  }

  #placeOf({ hash }: KeyHash): { segment: KeySegment; place: Place } | undefined {
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const segment = this.#segments[index];
      const place = segment?.find(hash);
      if (segment !== undefined && place !== undefined) return { segment, place };
    }
    return undefined;
  }

  #read(principal: string, key: string): KeyedJob | undefined {
    const found = this.#placeOf(hashOfKey(principal, key));
    if (found === undefined) return undefined;
    const record = found.segment.recordAt(found.place);
    if (record === null) throw this.#damaged(key, found);
    const job = jobFromRecord(found.segment, record);
    // 52 bits of two keys are the same: nothing is known of this one, and nothing may run twice.
    if (job.owner.principal !== principal || !isKeyed(job) || job.key !== key)
      throw this.#damaged(key, found);
    return job;
  }

  #damaged(key: string, { segment, place }: { segment: KeySegment; place: Place }): FsError {
    const kept = keepAside(segment.path);
    this.#options.log.error('The record of a key is damaged. The key is answered EIO, not run again.', {
      file: segment.path,
      offset: place.offset,
      key,
      kept,
    });
    return new FsError(
      'EIO',
      `What is known of the _key ${JSON.stringify(key)} is damaged. It may have run.`,
      {
        hint: 'The outcome is unknown, and the request was not run again. If it may run again, send it with a new key.',
      },
    );
  }

  #keep(name: string, job: KeyedJob): void {
    this.#cache.delete(name);
    this.#cache.set(name, job);
    dropOldest(this.#cache, CACHED);
  }
}

function jobFromRecord(
  segment: KeySegment,
  { header, extent }: NonNullable<ReturnType<KeySegment['recordAt']>>,
): Job {
  const job = jobFromHeader(segment, header);
  if (header.t === 'end') {
    endFromHeader(job, header);
    job.result.add(extent);
    return job;
  }
  job.end = {
    state: 'error',
    exitCode: null,
    errno: 'EIO',
    error: 'The outcome is unknown: the node stopped while this ran, or what it wrote then is lost.',
    hint: 'It was not run again. If it may run again, send it with a new key.',
    finishedAtMs: job.acceptedAtMs,
  };
  return job;
}

/** The numbers of the segments of which at least one file is there. */
function numbersIn(dir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return [];
    throw new FsError('EIO', `The log of keys cannot be read at ${dir}: ${reasonOf(error)}.`, {
      hint: 'Make it a readable directory, or restore it from a backup. Nothing was changed.',
      path: dir,
      cause: error,
    });
  }
  const numbers = names
    .flatMap((name) => /^(\d{8})\.(?:log|index|entries)$/.exec(name)?.[1] ?? [])
    .map(Number);
  return [...new Set(numbers)].sort((a, b) => a - b);
}
