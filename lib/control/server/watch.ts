import { FsError, type Clock } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import { ProtocolFault } from '../../protocol/index.js';
import { LOW_WATER_BYTES, type Transport } from '../../transport/index.js';
import { deltaEntry, piecesOf } from '../store/service-delta.js';
import type { ControlStore } from '../store/store.js';
import type { Cursors, WatchPosition } from './cursors.js';
import { frameOfEvent, type WatchEvent } from './event-text.js';

const BATCH = 64;
/** A watcher that stays behind for this long is cut off. */
export const LAG_TIMEOUT_MS = 5_000;

export interface WatchOptions {
  readonly id: string;
  readonly store: ControlStore;
  readonly cursors: Cursors;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly nodeId: string | null;
  /** Sends one frame, which is text already. */
  readonly push: (frame: string) => void;
  /** It was cut off; it may go on from the cursor. */
  readonly onLagged: (cursor: string) => void;
}

/**
 * One subscription. It keeps a position and no queue: whatever comes after the position is read from the
 * log when the connection has room, so a slow watcher costs neither memory nor the others anything.
 */
export class Watch {
  readonly id: string;
  readonly #options: WatchOptions;
  #session: Session;
  #position: WatchPosition;
  #waiting = false;
  #isMoving = false;
  #ended = false;
  #stopLagTimer: (() => void) | undefined;

  constructor(options: WatchOptions, session: Session, position: WatchPosition) {
    this.id = options.id;
    this.#options = options;
    this.#session = session;
    this.#position = position;
  }

  get cursor(): string {
    return this.#options.cursors.seal(this.#position);
  }

  get position(): WatchPosition {
    return this.#position;
  }

  /** How many events there are that it has not sent yet. */
  get waiting(): number {
    const { store, nodeId } = this.#options;
    const { viewId, revision } = this.#position;
    if (nodeId === null) return headOf(store, viewId, this.#session) - revision;
    let count = 0;
    let after = revision;
    for (let batch = this.#after(after); batch.length > 0; batch = this.#after(after)) {
      count += batch.filter((event) => event.nodeId === nodeId).length;
      after = batch.at(-1)?.revision ?? after;
    }
    return count;
  }

  /** Sends what there is to send, as far as the connection takes it. */
  pump(): void {
    if (this.#ended || this.#waiting || this.#isMoving) return;
    const { transport } = this.#options;
    while (transport.open) {
      if (transport.bufferedBytes > LOW_WATER_BYTES) {
        this.#waitForRoom();
        return;
      }
      let batch: readonly WatchEvent[];
      try {
        batch = this.#read();
      } catch (thrown) {
        if (!FsError.is(thrown) || thrown.code !== 'EOVERFLOW') throw thrown;
        this.#cutOff();
        return;
      }
      if (batch.length === 0) return;
      for (const event of batch) this.#send(event);
    }
  }

  /**
   * The session may see other things than before (it attached elsewhere, or its proof ended): what came
   * into view is sent as added, what went out of it as removed.
   */
  moveTo(session: Session): void {
    const before = this.#session;
    this.#session = session;
    if (this.#ended || session.role === 'admin') return;
    const { store } = this.#options;
    if (store.replicas !== undefined && !store.userEvents.has(session)) {
      this.#session = before;
      this.#moveLater(session);
      return;
    }
    const view = store.userEvents.of(session);
    if (view.id === this.#position.viewId) return;
    if (!before.revoked) this.#sendRest();
    const was = store.userEvents.shown({ ...before, revoked: false });
    const is = session.revoked ? new Map<string, ReadonlySet<string>>() : store.userEvents.shown(session);
    this.#position = { ...this.#position, viewId: view.id, revision: view.head };
    for (const nodeId of new Set([...was.keys(), ...is.keys()])) {
      const services = store.nodes.get(nodeId)?.services;
      const old = was.get(nodeId) ?? new Set<string>();
      const now = is.get(nodeId) ?? new Set<string>();
      const added = [...now]
        .filter((id) => !old.has(id))
        .map((id) => deltaEntry(id, services?.get(id), undefined));
      const removed = [...old].filter((id) => !now.has(id)).map((id) => removal(id));
      const delta = { added, updated: [], removed };
      const common = { revision: view.head, timestampMs: this.#options.clock.now(), nodeId };
      for (const piece of piecesOf(delta)) this.#send({ ...common, kind: 'services', payload: { ...piece } });
    }
  }

  /** What it is to see now is not made yet; nothing more is sent of what it saw. */
  #moveLater(session: Session): void {
    const { store } = this.#options;
    this.#isMoving = true;
    Promise.resolve(store.ensureView(session)).then(
      () => {
        this.#isMoving = false;
        this.moveTo(session);
        this.pump();
      },
      () => this.#cutOff(),
    );
  }

  end(): void {
    this.#ended = true;
    this.#stopLagTimer?.();
  }

  /** What happened before the session moved is sent as it was seen then. */
  #sendRest(): void {
    for (let batch = this.#read(); batch.length > 0; batch = this.#read())
      for (const event of batch) this.#send(event);
  }

  #read(): readonly WatchEvent[] {
    return this.#after(this.#position.revision);
  }

  #after(revision: number): readonly WatchEvent[] {
    const { store } = this.#options;
    const { viewId } = this.#position;
    return viewId === 0
      ? store.events.after(revision, BATCH)
      : store.userEvents.after(viewId, revision, BATCH);
  }

  #send(event: WatchEvent): void {
    const { nodeId } = this.#options;
    const concerns = nodeId === null || event.nodeId === nodeId;
    this.#position = {
      viewId: this.#position.viewId,
      revision: event.revision,
      seq: this.#position.seq + (concerns ? 1 : 0),
    };
    if (!concerns) return;
    const { seq } = this.#position;
    this.#options.push(frameOfEvent(event, { watch_id: this.id, seq, cursor: this.cursor }));
  }

  #cutOff(): void {
    if (this.#ended) return;
    this.end();
    this.#options.onLagged(this.cursor);
  }

  #waitForRoom(): void {
    this.#waiting = true;
    const { transport, clock } = this.#options;
    this.#stopLagTimer = clock.after(LAG_TIMEOUT_MS, () => this.#cutOff());
    void transport.drained().then(() => {
      this.#waiting = false;
      this.#stopLagTimer?.();
      this.pump();
    });
  }
}

const headOf = (store: ControlStore, viewId: number, session: Session): number =>
  viewId === 0 ? store.events.head : store.userEvents.of(session).head;

const removal = (service_id: string): ReturnType<typeof deltaEntry> => ({
  service_id,
  version: null,
  hash: null,
  previous_version: null,
  previous_hash: null,
});

/**
 * Where a new watch begins: at a cursor, after a revision, or `replayLimit` events ago (default: now).
 * @throws ProtocolFault `compacted` with the oldest revision kept, `invalid_payload`
 */
export function positionFor(
  store: ControlStore,
  cursors: Cursors,
  session: Session,
  from: { cursor?: string | undefined; sinceRevision?: number | undefined; replayLimit?: number | undefined },
): WatchPosition {
  const view = session.role === 'admin' ? { id: 0, head: store.events.head } : store.userEvents.of(session);
  const oldest = view.id === 0 ? store.events.oldest : store.userEvents.oldest(view.id);
  // A watcher that knows nothing yet learns neither what was hidden, nor that it was.
  const replayable = Math.max(oldest - 1, view.id === 0 ? 0 : store.userEvents.withdrawnAt(view.id));
  let revision = Math.max(replayable, view.head - (from.replayLimit ?? 0));
  let seq = 0;
  if (from.cursor !== undefined) {
    const position = cursors.open(from.cursor);
    if (position === undefined) throw new ProtocolFault('invalid_payload', 'The cursor is not one of ours.');
    if (position.viewId !== view.id) throw compacted(oldest, 'What you may see has changed since.');
    ({ revision, seq } = position);
  } else if (from.sinceRevision !== undefined) {
    revision = from.sinceRevision;
  }
  if (revision > view.head) {
    throw FsError.from(
      new FsError('EINVAL', `Revision ${revision} is not reached yet; the newest is ${view.head}.`),
    );
  }
  if (revision < view.head && revision + 1 < oldest) throw compacted(oldest, 'Those events were compacted.');
  return { viewId: view.id, revision, seq };
}

function compacted(oldest: number, why: string): ProtocolFault {
  return new ProtocolFault('compacted', `${why} Read the catalog anew, then watch.`, {
    details: { oldest_revision: oldest },
  });
}
