import { Emitter, FsError, lineFromJson, timestamp, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  StreamFile,
  fileStat,
  newIno,
  nsFromMs,
  type Change,
  type Growing,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';

/** Where `/events.ndjson` comes from. */
export interface EventSource {
  /** The events that the session may see; another file once it was rotated. */
  fileFor(session: Session): Node;
  /** `data` of a file that was rotated: its name means another one. */
  readonly changes: Emitter<Change>;
}

export interface FeedEvent {
  readonly atMs: number;
  readonly type: string;
  readonly facts: JsonObject;
  /** Whether the session may know of it, asked whenever it looks; one function for all that are known alike. */
  readonly visibleTo: (session: Session) => boolean;
}

/** How many events a feed shows at least, once there are so many; at twice as many it is rotated. */
const KEPT = 1024;

/**
 * Recent events, oldest first, as each session may see them: `/events.ndjson`. Once it shows a session what
 * that may no longer see, or has too many, the path names another file, and descriptors of it are ESTALE.
 */
export class EventFeed implements EventSource {
  readonly changes = new Emitter<Change>();
  #events: FeedEvent[] = [];
  #shown = new WeakMap<Session, ShownEvents>();
  #changedAtMs: number;
  #rotation = 0;

  constructor(nowMs: number) {
    this.#changedAtMs = nowMs;
  }

  fileFor(session: Session): Node {
    let shown = this.#shown.get(session);
    const old = shown?.file;
    if (shown?.isPermitted !== true || shown.rotation !== this.#rotation) {
      const fresh = new ShownEvents(session, this.#rotation, this.#changedAtMs, (op) => {
        if (this.fileFor(op.session) !== fresh.file)
          throw new FsError('ESTALE', 'This file was rotated, or shows what this session may no longer see.');
      });
      shown = fresh;
      this.#shown.set(session, shown);
      if (old !== undefined) this.changes.emit({ what: 'data', ino: old.ino });
    }
    shown.refresh(this.#events);
    return shown.file;
  }

  push(event: FeedEvent): void {
    this.#events.push(event);
    this.#changedAtMs = event.atMs;
    if (this.#events.length < 2 * KEPT) return;
    this.#rotation++;
    this.#events = this.#events.slice(-KEPT);
  }
}

/** What a session was shown: it stays, and new events are added at the end. */
class ShownEvents {
  /** How often the feed had been rotated. */
  readonly rotation: number;
  readonly file: StreamFile;
  readonly #session: Session;
  readonly #rules = new Set<FeedEvent['visibleTo']>();
  #upTo = 0;
  #text = Buffer.alloc(0);
  #changedAtMs: number;

  constructor(session: Session, rotation: number, nowMs: number, check: (op: Op) => void) {
    this.rotation = rotation;
    this.#session = session;
    this.#changedAtMs = nowMs;
    const ino = newIno();
    const content = (op: Op): Growing => {
      check(op);
      const text = this.#text;
      return { size: text.length, read: (at, size) => text.subarray(at, at + size) };
    };
    const statOf = (size: number): Stat => fileStat(ino, nsFromMs(this.#changedAtMs), 0o444, size);
    this.file = new StreamFile(ino, content, statOf, { revocable: true });
  }

  /** Whether the session may see all that it was shown. */
  get isPermitted(): boolean {
    for (const visibleTo of this.#rules) if (!visibleTo(this.#session)) return false;
    return true;
  }

  refresh(events: readonly FeedEvent[]): void {
    if (this.#upTo === events.length) return;
    const fresh = events.slice(this.#upTo).filter((event) => event.visibleTo(this.#session));
    this.#upTo = events.length;
    const newest = fresh.at(-1);
    if (newest === undefined) return;
    for (const { visibleTo } of fresh) this.#rules.add(visibleTo);
    const lines = fresh.map(({ atMs, type, facts }) => lineFromJson({ at: timestamp(atMs), type, ...facts }));
    this.#text = Buffer.concat([this.#text, Buffer.from(lines.join(''))]);
    this.#changedAtMs = newest.atMs;
  }
}
