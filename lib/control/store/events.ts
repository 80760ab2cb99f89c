import { Emitter, FsError, type Clock, type JsonObject } from '../../core/index.js';
import type { ControlDatabase, Row } from './database.js';
import { EventRows, ownerOf } from './event-rows.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';

/** What happened to the catalog, to its services, and to those who may see them. */
export const EVENT_KINDS = [
  'services',
  'node_joined',
  'node_online',
  'node_offline',
  'node_deleted',
  'node_reload',
  'node_reload_report',
  'service_health',
  'service_control',
  'invocation_finished',
  'project_changed',
  'project_deleted',
  'pairing',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

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
  /** Of the log, and of each view of it. */
  readonly maxEvents: number;
  readonly maxAgeMs: number;
  /** Of the log. */
  readonly maxBytes: number;
  /** Of all views together. */
  readonly maxViewBytes: number;
}

export const DEFAULT_RETENTION: Retention = {
  maxEvents: 100_000,
  maxAgeMs: 7 * 24 * 60 * 60 * 1000,
  maxBytes: 64 * 1024 * 1024,
  maxViewBytes: 256 * 1024 * 1024,
};

const KEEP_RECENT = 256;
/** After each so many events it is looked whether there are too many. */
export const COMPACT_EVERY = 256;

/** Every change of the catalog, in one order. */
export class EventLog implements Derived {
  /** After the event is on disk. */
  readonly appended = new Emitter<ControlEvent>();
  /** Within the transaction that appends it. */
  readonly appending = new Emitter<ControlEvent>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #retention: Retention;
  readonly #rows: EventRows;
  #head: number;
  /** The newest events, so that a thousand watchers do not each ask the database. */
  #recent: ControlEvent[] = [];

  constructor(db: ControlDatabase, clock: Clock, retention: Retention) {
    this.#db = db;
    this.#clock = clock;
    this.#retention = retention;
    this.#rows = new EventRows(db, { table: 'events', number: 'revision', where: '1', values: [] });
    const row = db.get('SELECT COALESCE(MAX(revision), 0) AS head FROM events');
    this.#head = (row?.['head'] ?? 0) as number;
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The revision from which on all are kept; of what was before, what nobody had too much of. */
  get oldest(): number {
    return this.#rows.oldest;
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
    const owner = ownerOf(nodeId, kind, payload);
    this.#db.change(() => {
      this.#rememberForRollback();
      this.#db.run(
        `INSERT INTO events (revision, timestamp_ms, kind, node_id, payload, owner, bytes)
         VALUES (?,?,?,?,?,?,?)`,
        event.revision,
        event.timestampMs,
        kind,
        nodeId,
        text,
        owner,
        this.#rows.add(owner, text),
      );
      this.#head = event.revision;
      this.appending.emit(event);
      if (event.revision % COMPACT_EVERY === 0) this.compact();
      this.#tell(event);
    });
    return event;
  }

  applied(rows: AppliedRows): void {
    const changes = rows.of('events');
    if (changes.length === 0) return;
    this.#rememberForRollback();
    this.#rows.applied(changes);
    const fresh = changes.flatMap(({ row, before }) =>
      row === null || before !== undefined ? [] : eventFromRow(row),
    );
    for (const event of fresh.sort((a, b) => a.revision - b.revision)) {
      this.#head = event.revision;
      this.#tell(event);
    }
  }

  /** Once it is on disk. */
  #tell(event: ControlEvent): void {
    this.#db.afterChange(() => {
      this.#recent.push(event);
      if (this.#recent.length > 2 * KEEP_RECENT) this.#recent = this.#recent.slice(-KEEP_RECENT);
      this.appended.emit(event);
    });
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
      throw compactedBefore(this.oldest);
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
    const { maxEvents, maxAgeMs, maxBytes } = this.#retention;
    this.#db.change(() => {
      this.#rows.forgetOlderThan(this.#clock.now() - maxAgeMs);
      this.#rows.shrink('bytes', maxBytes);
      this.#rows.shrink('records', maxEvents);
    });
  }

  #rememberForRollback(): void {
    const head = this.#head;
    this.#db.onRollback(() => (this.#head = head));
  }
}

/** Some of what was asked for is gone: from `oldest` on there is all. */
export function compactedBefore(oldest: number): FsError {
  return new FsError('EOVERFLOW', `Events up to revision ${oldest - 1} were compacted.`, {
    hint: `Read the catalog anew, then watch. The oldest kept is ${oldest}.`,
  });
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
