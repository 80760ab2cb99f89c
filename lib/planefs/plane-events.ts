import type { ControlEvent, ControlStore, ViewEvent } from '../control/index.js';
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
import type { EventSource } from '../worldfs/index.js';

/** How many events are shown at least, once there are so many; at twice as many the file is rotated. */
const KEPT = 1024;

type Event = ControlEvent | ViewEvent;

/** Where the events of one kind of session come from: the whole log, or a view of it. */
interface Log {
  recent(limit: number): readonly Event[];
  after(revision: number, limit: number): readonly Event[];
}

/**
 * `/events.ndjson` from the history of the control plane, as each session may see it. What a session may no
 * longer see is in no file of it: the path names another one, and descriptors of the old one are ESTALE.
 */
export class PlaneEvents implements EventSource {
  readonly changes = new Emitter<Change>();
  readonly #store: ControlStore;
  readonly #flush: () => void;
  readonly #streams = new Map<string, EventStream>();

  /** `flush` brings the store up to date with what is known in this process. */
  constructor(store: ControlStore, flush: () => void) {
    this.#store = store;
    this.#flush = flush;
    store.userEvents.withdrew.on((viewId) => this.#rotate(keyOfView(viewId)));
  }

  fileFor(session: Session): Node {
    this.#flush();
    return this.#streamFor(session).file;
  }

  #streamFor(session: Session): EventStream {
    if (session.revoked) throw new FsError('ENOENT', 'There is no such file.');
    const { events, userEvents } = this.#store;
    if (session.role === 'admin') {
      return this.#stream('admin', {
        recent: (limit) => events.recent(limit),
        after: (revision, limit) => events.after(revision, limit),
      });
    }
    if (this.#store.replicas !== undefined && !userEvents.has(session)) {
      Promise.resolve(this.#store.ensureView(session)).catch(() => undefined);
      throw new FsError('EAGAIN', 'What this session may see is being put together.', { hint: 'Try again.' });
    }
    const { id } = userEvents.of(session);
    return this.#stream(keyOfView(id), {
      recent: (limit) => userEvents.recent(id, limit),
      after: (revision, limit) => userEvents.after(id, revision, limit),
    });
  }

  #stream(key: string, log: Log): EventStream {
    let stream = this.#streams.get(key);
    stream?.refresh(log);
    if (stream === undefined || stream.events > 2 * KEPT) {
      this.#rotate(key);
      const fresh = new EventStream(log, (op) => {
        if (this.#streamFor(op.session) !== fresh)
          throw new FsError('ESTALE', 'This file was rotated, or is another one for this session by now.');
      });
      stream = fresh;
      this.#streams.set(key, stream);
    }
    return stream;
  }

  #rotate(key: string): void {
    const old = this.#streams.get(key);
    this.#streams.delete(key);
    if (old !== undefined) this.changes.emit({ what: 'data', ino: old.file.ino });
  }
}

function keyOfView(viewId: number): string {
  return `view-${viewId}`;
}

class EventStream {
  readonly file: StreamFile;
  events = 0;
  #text = Buffer.alloc(0);
  #revision = 0;
  #changedAtMs = 0;

  constructor(log: Log, check: (op: Op) => void) {
    this.#append(log.recent(KEPT));
    const ino = newIno();
    const content = (op: Op): Growing => {
      check(op);
      const text = this.#text;
      return { size: text.length, read: (at, size) => text.subarray(at, at + size) };
    };
    const statOf = (size: number): Stat => fileStat(ino, nsFromMs(this.#changedAtMs), 0o444, size);
    this.file = new StreamFile(ino, content, statOf, { revocable: true });
  }

  /** Takes in what has happened since. */
  refresh(log: Log): void {
    for (;;) {
      let fresh: readonly Event[];
      try {
        fresh = log.after(this.#revision, KEPT);
      } catch (thrown) {
        if (FsError.from(thrown).code !== 'EOVERFLOW') throw thrown;
        this.events = Infinity;
        return;
      }
      if (fresh.length === 0) return;
      this.#append(fresh);
    }
  }

  #append(events: readonly Event[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.events += events.length;
    this.#revision = last.revision;
    this.#changedAtMs = last.timestampMs;
    const lines = events.flatMap(factsOf).map(lineFromJson);
    this.#text = Buffer.concat([this.#text, Buffer.from(lines.join(''))]);
  }
}

/** An event as lines: a change of several services is one line for each. */
function factsOf({ revision, timestampMs, kind, nodeId, payload }: Event): JsonObject[] {
  const common = { at: timestamp(timestampMs), revision };
  const where: JsonObject = nodeId === null ? {} : { node_id: nodeId };
  if (kind === 'node_reload') return [{ ...common, type: kind, ...where, reload: payload }];
  if (kind !== 'services') return [{ ...common, type: kind, ...where, ...payload }];
  return (['added', 'updated', 'removed'] as const).flatMap((what) =>
    ((payload[what] ?? []) as readonly JsonObject[]).map((entry) => ({
      ...common,
      type: `service_${what}`,
      ...where,
      ...entry,
    })),
  );
}
