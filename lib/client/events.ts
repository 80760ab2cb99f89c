import { setTimeout as delay } from 'node:timers/promises';
import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import type { FileHandle } from '../vfs/index.js';
import { stopIfAborted } from './give-up.js';
import { openFile, READ, readFrom } from '../worldfs/index.js';
import type { Tree } from './tree.js';

/** A line of `/events.ndjson`; what else it says belongs to its type. */
export interface TreeEvent extends JsonObject {
  readonly at: string;
  readonly type: string;
}

export interface EventsOptions {
  /** `now`: what happens from now on. `kept`: first what is kept, oldest first. A number: what follows this revision. */
  readonly since?: 'now' | 'kept' | number;
  /** Ends the loop, by throwing its reason. */
  readonly signal?: AbortSignal | undefined;
}

const PATH = '/events.ndjson';
/** How often it is looked for more, where nobody says that there is. */
const LEAST_LOOK_MS = 20;
const MOST_LOOK_MS = 250;

/**
 * What happens, each event once and in order: through rotations of the file, and through losses of a connection that
 * comes back. What happened meanwhile and is no longer kept is missed.
 * @throws FsError EHOSTDOWN where the connection does not come back, the reason of `signal`
 */
export async function* eventsOf(
  tree: Tree,
  { since = 'now', signal }: EventsOptions = {},
): AsyncGenerator<TreeEvent, void> {
  const stop = signal ?? new AbortController().signal;
  const place = new Place(since);
  let waitMs = LEAST_LOOK_MS;
  for (;;) {
    stopIfAborted(stop);
    try {
      for await (const event of eventsOfFile(tree, place, stop)) {
        waitMs = LEAST_LOOK_MS;
        yield event;
      }
    } catch (thrown) {
      stopIfAborted(stop);
      const { code } = FsError.from(thrown);
      // It was rotated: the name means another file.
      const mayPass = code === 'ESTALE' || (code === 'EHOSTDOWN' && tree.comesBack);
      if (!mayPass) throw thrown;
      if (code === 'EHOSTDOWN') waitMs = await pause(waitMs, stop);
    }
  }
}

/** The events of the file that the name means now, after `place`, until it is another's. */
async function* eventsOfFile(tree: Tree, place: Place, stop: AbortSignal): AsyncGenerator<TreeEvent, void> {
  const handle = await openFile(tree, PATH, READ, stop);
  try {
    let at = 0;
    let rest = '';
    let waitMs = LEAST_LOOK_MS;
    for (let isFirst = true; ; isFirst = false) {
      const parts: Buffer[] = [];
      for await (const bytes of readFrom(handle, tree.op(stop), at)) {
        at += bytes.length;
        parts.push(Buffer.from(bytes));
      }
      // Lines are written as a whole, but a read may end within one.
      const text = rest + Buffer.concat(parts).toString('latin1');
      const lines = text.split('\n');
      rest = lines.pop() ?? '';
      const whole = lines.map((line) => Buffer.from(line, 'latin1').toString());
      const fresh = place.after(whole, isFirst);
      for (const event of fresh) yield event;
      waitMs = fresh.length > 0 ? LEAST_LOOK_MS : await awaitMore(tree, handle, at, waitMs, stop);
      if (fresh.length === 0 && (await isReplaced(tree, handle, stop))) return;
    }
  } finally {
    await handle.release();
  }
}

/** Waits until there may be more; answers how long to wait the next time. */
async function awaitMore(
  tree: Tree,
  handle: FileHandle,
  at: number,
  waitMs: number,
  stop: AbortSignal,
): Promise<number> {
  if (handle.awaitChange !== undefined) {
    try {
      if (!(await handle.awaitChange(at, tree.op(stop))))
        throw new FsError('ESTALE', 'This file gets no more.');
      return LEAST_LOOK_MS;
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'EOPNOTSUPP') throw thrown;
    }
  }
  return pause(waitMs, stop);
}

/** Whether the name means another file by now: a descriptor need not notice. */
async function isReplaced(tree: Tree, handle: FileHandle, stop: AbortSignal): Promise<boolean> {
  const op = tree.op(stop);
  const named = await (await tree.root.lookup(PATH.slice(1), op)).stat(op);
  return named.ino !== (await handle.stat(op)).ino;
}

async function pause(ms: number, stop: AbortSignal): Promise<number> {
  await delay(ms, undefined, { signal: stop });
  return Math.min(2 * ms, MOST_LOOK_MS);
}

/** How far someone has heard: by revision where events have one, else by the last line. */
class Place {
  #revision: number | null;
  #line: string | null = null;
  #skipsKept: boolean;

  constructor(since: 'now' | 'kept' | number) {
    this.#revision = typeof since === 'number' ? since : null;
    this.#skipsKept = since === 'now';
  }

  /** The events of these lines that were not heard yet; `isWhole`: they are all that the file has. */
  after(lines: readonly string[], isWhole: boolean): TreeEvent[] {
    const known = isWhole && this.#line !== null ? lines.lastIndexOf(this.#line) : -1;
    const events = lines.slice(known + 1).flatMap(eventFrom);
    const last = lines.at(-1);
    if (last !== undefined) this.#line = last;
    const before = this.#revision;
    for (const event of events) this.#revision = revisionOf(event) ?? this.#revision;
    if (this.#skipsKept) {
      this.#skipsKept = false;
      return [];
    }
    if (!isWhole || before === null) return events;
    return events.filter((event) => (revisionOf(event) ?? Infinity) > before);
  }
}

function revisionOf(event: TreeEvent): number | null {
  const revision = ownValue(event, 'revision');
  return typeof revision === 'number' ? revision : null;
}

function eventFrom(line: string): TreeEvent[] {
  const event: unknown = JSON.parse(line);
  return isJsonObject(event) ? [event as TreeEvent] : [];
}
