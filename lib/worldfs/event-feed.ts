import { lineFromJson, timestamp, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import { StreamFile, fileStat, newIno, nsFromMs, type Growing, type Node, type Op } from '../vfs/index.js';

/** Where `/events.ndjson` comes from. */
export interface EventSource {
  /** The events that the session may see; another file once it was rotated. */
  fileFor(session: Session): Node;
}

export interface FeedEvent {
  readonly atMs: number;
  readonly type: string;
  readonly facts: JsonObject;
  /** Whether the session may know of it, asked when it looks. */
  visibleTo(session: Session): boolean;
}

/** How many events a feed shows at least, once there are so many; at twice as many it is rotated. */
const KEPT = 1024;

/** Recent events, oldest first, as each session may see them: `/events.ndjson`. */
export class EventFeed implements EventSource {
  #events: FeedEvent[] = [];
  #ino = newIno();
  #texts = new WeakMap<Session, { upTo: number; text: Buffer }>();
  #changedAtMs: number;
  #file: StreamFile | null = null;

  constructor(nowMs: number) {
    this.#changedAtMs = nowMs;
  }

  /** Changes when the feed is rotated: what is shown from then on is another file. */
  get ino(): bigint {
    return this.#ino;
  }

  get changedAtMs(): number {
    return this.#changedAtMs;
  }

  fileFor(): Node {
    const ino = this.#ino;
    if (this.#file?.ino !== ino) {
      const content = ({ session }: Op): Growing => {
        const text = this.textFor(session);
        return { size: text.length, read: (at, size) => text.subarray(at, at + size) };
      };
      this.#file = new StreamFile(ino, content, (size) =>
        fileStat(ino, nsFromMs(this.#changedAtMs), 0o444, size),
      );
    }
    return this.#file;
  }

  push(event: FeedEvent): void {
    this.#events.push(event);
    this.#changedAtMs = event.atMs;
    if (this.#events.length < 2 * KEPT) return;
    this.#events = this.#events.slice(-KEPT);
    this.#ino = newIno();
    this.#texts = new WeakMap();
  }

  /** What was shown to a session before stays; new events are added at the end. */
  textFor(session: Session): Buffer {
    const known = this.#texts.get(session) ?? { upTo: 0, text: Buffer.alloc(0) };
    if (known.upTo === this.#events.length) return known.text;
    const fresh = this.#events.slice(known.upTo).filter((event) => event.visibleTo(session));
    const lines = fresh.map((event) =>
      lineFromJson({ at: timestamp(event.atMs), type: event.type, ...event.facts }),
    );
    const text = lines.length === 0 ? known.text : Buffer.concat([known.text, Buffer.from(lines.join(''))]);
    this.#texts.set(session, { upTo: this.#events.length, text });
    return text;
  }
}
