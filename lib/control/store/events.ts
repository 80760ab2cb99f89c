import { Emitter, FsError, type Clock, type JsonObject } from '../../core/index.js';
import type { ControlDatabase, Row } from './database.js';

/** What happened to the catalog, to its services, and to those who may see them. */
export type EventKind =
  | 'services'
  | 'node_joined'
  | 'node_online'
  | 'node_offline'
  | 'node_deleted'
  | 'node_reload'
  | 'service_health'
  | 'service_control'
  | 'invocation_finished'
  | 'project_changed'
  | 'project_deleted';

export interface ControlEvent {
  /** Global, gap-free, from 1. */
  readonly revision: number;
  readonly timestampMs: number;
  readonly kind: EventKind;
  readonly nodeId: string | null;
  readonly payload: JsonObject;
}

/** How much history is kept. The newest event always is. */
export interface Retention {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export const DEFAULT_RETENTION: Retention = {
  maxEvents: 100_000,
  maxAgeMs: 7 * 24 * 60 * 60 * 1000,
  maxBytes: 64 * 1024 * 1024,
};

const KEEP_RECENT = 256;
/** How many events go at once while they are too many bytes. */
const BYTES_STEP = 64;

/** Every change of the catalog, in one order. */
export class EventLog {
  /** After the event is on disk. */
  readonly appended = new Emitter<ControlEvent>();
  /** Within the transaction that appends it. */
  readonly appending = new Emitter<ControlEvent>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #retention: Retention;
  #head = 0;
  /** Undefined where it has to be looked up: a thousand watchers ask for it at each event. */
  #oldest: number | undefined;
  /** The newest events, so that a thousand watchers do not each ask the database. */
  #recent: ControlEvent[] = [];
  #sinceCompaction = 0;
  #bytes = 0;

  constructor(db: ControlDatabase, clock: Clock, retention: Retention) {
    this.#db = db;
    this.#clock = clock;
    this.#retention = retention;
    this.#load();
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The oldest revision kept. */
  get oldest(): number {
    this.#oldest ??= (this.#db.get('SELECT MIN(revision) AS oldest FROM events')?.['oldest'] ??
      this.#head + 1) as number;
    return this.#oldest;
  }

  append(kind: EventKind, nodeId: string | null, payload: JsonObject): ControlEvent {
    const event: ControlEvent = {
      revision: this.#head + 1,
      timestampMs: this.#clock.now(),
      kind,
      nodeId,
      payload,
    };
    const text = JSON.stringify(payload);
    this.#db.change(() => {
      this.#rememberForRollback();
      this.#db.run(
        'INSERT INTO events (revision, timestamp_ms, kind, node_id, payload) VALUES (?,?,?,?,?)',
        event.revision,
        event.timestampMs,
        kind,
        nodeId,
        text,
      );
      this.#head = event.revision;
      this.#bytes += text.length;
      this.appending.emit(event);
      if (++this.#sinceCompaction >= 256) this.compact();
      this.#db.afterChange(() => {
        this.#recent.push(event);
        if (this.#recent.length > 2 * KEEP_RECENT) this.#recent = this.#recent.slice(-KEEP_RECENT);
        this.appended.emit(event);
      });
    });
    return event;
  }

  /**
   * Up to `limit` events that follow `revision`, oldest first.
   * @throws FsError EOVERFLOW when some of them were compacted away.
   */
  after(revision: number, limit: number): ControlEvent[] {
    if (revision > this.#head) {
      throw new FsError('EINVAL', `Revision ${revision} is not reached yet; the newest is ${this.#head}.`);
    }
    if (revision < this.#head && revision + 1 < this.oldest) {
      throw new FsError('EOVERFLOW', `Events up to revision ${this.oldest - 1} were compacted.`, {
        hint: `Read the catalog anew, then watch from revision ${this.#head}. The oldest kept is ${this.oldest}.`,
      });
    }
    if (revision === this.#head) return [];
    const kept = this.#recent[0];
    if (kept !== undefined && revision + 1 >= kept.revision) {
      const from = revision + 1 - kept.revision;
      return this.#recent.slice(from, from + limit);
    }
    return this.#db
      .all('SELECT * FROM events WHERE revision > ? ORDER BY revision LIMIT ?', revision, limit)
      .map(eventFromRow);
  }

  /** The newest `limit` events, oldest first. */
  recent(limit: number): ControlEvent[] {
    return this.#db
      .all('SELECT * FROM events ORDER BY revision DESC LIMIT ?', limit)
      .map(eventFromRow)
      .reverse();
  }

  /** Forgets what exceeds the retention. */
  compact(): void {
    this.#sinceCompaction = 0;
    const { maxEvents, maxAgeMs, maxBytes } = this.#retention;
    this.#db.change(() => {
      this.#rememberForRollback();
      const young = this.#db.get(
        'SELECT revision FROM events WHERE timestamp_ms >= ? ORDER BY revision LIMIT 1',
        this.#clock.now() - maxAgeMs,
      );
      this.#forgetBefore(Math.max(this.#head - maxEvents + 1, (young?.['revision'] ?? this.#head) as number));
      while (this.#bytes > maxBytes && this.oldest < this.#head) this.#forgetBefore(this.oldest + BYTES_STEP);
    });
  }

  #forgetBefore(revision: number): void {
    const until = Math.min(revision, this.#head);
    const gone = this.#db.get('SELECT SUM(LENGTH(payload)) AS bytes FROM events WHERE revision < ?', until);
    this.#db.run('DELETE FROM events WHERE revision < ?', until);
    this.#oldest = undefined;
    this.#bytes -= (gone?.['bytes'] ?? 0) as number;
  }

  #rememberForRollback(): void {
    const { head, bytes, since } = { head: this.#head, bytes: this.#bytes, since: this.#sinceCompaction };
    this.#db.onRollback(() => {
      this.#head = head;
      this.#bytes = bytes;
      this.#sinceCompaction = since;
      this.#oldest = undefined;
    });
  }

  #load(): void {
    this.#oldest = undefined;
    this.#head = (this.#db.get('SELECT COALESCE(MAX(revision), 0) AS head FROM events')?.['head'] ??
      0) as number;
    this.#bytes = (this.#db.get('SELECT SUM(LENGTH(payload)) AS bytes FROM events')?.['bytes'] ??
      0) as number;
  }
}

function eventFromRow(row: Row): ControlEvent {
  return {
    revision: row['revision'] as number,
    timestampMs: row['timestamp_ms'] as number,
    kind: row['kind'] as EventKind,
    nodeId: row['node_id'] as string | null,
    payload: JSON.parse(row['payload'] as string) as JsonObject,
  };
}
