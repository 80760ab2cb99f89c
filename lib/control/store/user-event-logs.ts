import { Emitter, type Clock, type JsonObject } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import type { Access } from '../access.js';
import type { ControlDatabase, Row } from './database.js';
import { EventRows, OF_A_SERVICE, ownerOf } from './event-rows.js';
import {
  COMPACT_EVERY,
  compactedBefore,
  type ControlEvent,
  type EventKind,
  type EventLog,
  type Retention,
} from './events.js';
import { fairShare } from './fair-share.js';
import type { Nodes } from './nodes.js';
import type { Projects } from './projects.js';
import { deltaOfView, piecesOf, type Delta, type DeltaEntry } from './service-delta.js';
import { byFirstKey, type AppliedRows, type Derived } from './replica/row-changes.js';
import { factsForUsers, ownerOfEvent, viewEventFromRow, type ViewEvent } from './view-event.js';
import { keyOf, show, ViewSight, type UserEventLog } from './view-sight.js';
import type { Later } from './later.js';
import { Withdrawals } from './withdrawals.js';

const KEEP_UNUSED_MS = 24 * 60 * 60 * 1000;
const SEED_EVENTS = 256;
const KEEP_RECENT = 64;

/**
 * What each kind of user has been sent: one event log per (agent, project, project token proved), written
 * in the same transaction as the change itself, so that it survives restarts, has no gaps, and says
 * `added` and `removed` when a change of policy shows or hides a service. Sessions that may see the same
 * share one.
 */
export class UserEventLogs implements Derived {
  /** The id of a view that has new events, after they are on disk. */
  readonly appended = new Emitter<number>();
  /** The id of a view in which something was hidden that goes on to exist, after that is on disk. */
  readonly withdrew = new Emitter<number>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #events: EventLog;
  readonly #nodes: Nodes;
  readonly #projects: Projects;
  readonly #sight: ViewSight;
  readonly #later: Later;
  readonly #views = new Map<string, UserEventLog>();
  readonly #byId = new Map<number, UserEventLog>();
  /** The newest events of each view, so that its watchers do not each ask the database. */
  readonly #recent = new Map<number, ViewEvent[]>();
  readonly #retention: Retention;
  #pending: ControlEvent[] = [];
  #dirty = new Set<string>();

  constructor(
    db: ControlDatabase,
    clock: Clock,
    rooms: { events: EventLog; nodes: Nodes; projects: Projects; access: Access; later: Later },
    retention: Retention,
  ) {
    this.#later = rooms.later;
    this.#db = db;
    this.#clock = clock;
    this.#events = rooms.events;
    this.#nodes = rooms.nodes;
    this.#projects = rooms.projects;
    this.#sight = new ViewSight(rooms);
    this.#retention = retention;
    if (!db.isCopy) db.change(() => this.forgetUnused());
    this.#load();
    this.#events.appending.on((event) => {
      this.#pending.push(event);
      db.onRollback(() => this.#pending.pop());
      if (event.nodeId !== null && !OF_A_SERVICE.has(event.kind)) this.#soil(event.nodeId);
    });
    this.#projects.changing.on(() => {
      for (const { nodeId } of this.#nodes.list()) this.#soil(nodeId);
    });
    db.beforeCommit(() => this.#settle());
  }

  applied(rows: AppliedRows): void {
    const known = new Set(this.#byId.keys());
    for (const { key, before, row } of rows.of('views')) this.#viewChanged(key[0] as number, before, row);
    // One that is new here was read with its events.
    for (const [viewId, changes] of byFirstKey(rows.of('view_events'))) {
      const view = known.has(viewId) ? this.#byId.get(viewId) : undefined;
      if (view === undefined) continue;
      view.rows.applied(changes);
      const fresh = changes.flatMap(({ row, before }) =>
        row === null || before !== undefined ? [] : viewEventFromRow(row),
      );
      const { head } = view;
      this.#db.onRollback(() => (view.head = head));
      for (const event of fresh.sort((a, b) => a.revision - b.revision)) {
        view.head = event.revision;
        this.#tell(view, event);
      }
    }
    const all = rows.of('projects').length > 0 ? this.#nodes.list().map(({ nodeId }) => nodeId) : [];
    const touched = [...rows.of('nodes'), ...rows.of('services')].map(({ key }) => key[0] as string);
    for (const view of this.#views.values()) {
      const session = this.#sight.sessionOf(view);
      for (const nodeId of new Set([...all, ...touched])) {
        const before = view.visible.get(nodeId) ?? new Set<string>();
        this.#db.onRollback(() => show(view, nodeId, before));
        show(view, nodeId, this.#sight.at(session, nodeId));
      }
    }
  }

  /** Whether the view that the session has is there already, so that `of` only finds it. */
  has(session: Session): boolean {
    return this.#views.has(keyOf(session));
  }

  /** Forgets views that nobody used for long. Only inside a change. */
  forgetUnused(): void {
    this.#db.run('DELETE FROM views WHERE last_used_ms < ?', this.#clock.now() - KEEP_UNUSED_MS);
  }

  /** The view of a user session, made on first use from the history that it may see now. */
  of(session: Session): { id: number; head: number } {
    const key = keyOf(session);
    const now = this.#clock.now();
    const view = this.#views.get(key);
    if (view === undefined) return this.#db.change(() => this.#make(key, now));
    if (now - view.lastUsedMs > KEEP_UNUSED_MS / 24) {
      const { id } = view;
      view.lastUsedMs = now;
      this.#later(() => this.#db.run('UPDATE views SET last_used_ms = ? WHERE view_id = ?', now, id));
    }
    return view;
  }

  #viewChanged(id: number, before: Row | undefined, row: Row | null): void {
    const view = this.#byId.get(id);
    if (view === undefined && row !== null) {
      const key = row['key'] as string;
      const added = this.#viewFromRow(row);
      this.#views.set(key, added);
      this.#db.onRollback(() => this.#drop(added));
      return;
    }
    if (view === undefined) return;
    if (row === null) {
      this.#drop(view);
      this.#db.onRollback(() => {
        this.#views.set(view.key, view);
        this.#byId.set(id, view);
      });
      return;
    }
    view.lastUsedMs = Math.max(view.lastUsedMs, row['last_used_ms'] as number);
    if (before?.['visible'] === row['visible']) return;
    const { withdrawn } = view;
    this.#db.onRollback(() => (view.withdrawn = withdrawn));
    view.withdrawn = Withdrawals.parse(row['visible'] as string);
    this.#db.afterChange(() => this.withdrew.emit(id));
  }

  #drop(view: UserEventLog): void {
    this.#views.delete(view.key);
    this.#byId.delete(view.id);
  }

  #make(key: string, now: number): UserEventLog {
    this.#db.run("INSERT INTO views (key, visible, last_used_ms) VALUES (?, '', ?)", key, now);
    const view = this.#viewFromRow(this.#db.require('SELECT * FROM views WHERE key = ?', key));
    this.#db.onRollback(() => this.#drop(view));
    this.#views.set(key, view);
    this.#seed(view);
    return view;
  }

  /** The ids (`node/service`) that the session's view shows. */
  shown(session: Session): ReadonlyMap<string, ReadonlySet<string>> {
    this.of(session);
    return this.#sight.of(session);
  }

  /** The revision from which on the view keeps all. */
  oldest(viewId: number): number {
    return this.#byId.get(viewId)?.rows.oldest ?? 1;
  }

  /** The last event by which something was hidden that it showed, and that goes on to exist; 0 if none was. */
  withdrawnAt(viewId: number): number {
    return this.#byId.get(viewId)?.withdrawn.latest ?? 0;
  }

  /**
   * Up to `limit` events of the view that follow `revision`, oldest first.
   * @throws FsError EOVERFLOW when some of them are no longer kept.
   */
  after(viewId: number, revision: number, limit: number): ViewEvent[] {
    const view = this.#byId.get(viewId);
    if (view?.head === revision) return [];
    if (view !== undefined && revision + 1 < view.rows.oldest) throw compactedBefore(view.rows.oldest);
    const { withdrawn } = view ?? { withdrawn: Withdrawals.NONE };
    return this.#after(viewId, revision, limit).map((event) => withdrawn.forWatchers(event));
  }

  #after(viewId: number, revision: number, limit: number): ViewEvent[] {
    const kept = this.#recent.get(viewId) ?? [];
    const from = revision + 1 - (kept[0]?.revision ?? Infinity);
    if (from >= 0) return kept.slice(from, from + limit);
    return this.#db
      .all(
        'SELECT * FROM view_events WHERE view_id = ? AND seq > ? ORDER BY seq LIMIT ?',
        viewId,
        revision,
        limit,
      )
      .map(viewEventFromRow);
  }

  /** The newest events, for a user who has seen none yet. */
  recent(viewId: number, limit: number): ViewEvent[] {
    const { withdrawn } = this.#byId.get(viewId) ?? { withdrawn: Withdrawals.NONE };
    return this.#db
      .all('SELECT * FROM view_events WHERE view_id = ? ORDER BY seq DESC LIMIT ?', viewId, limit)
      .map((row) => withdrawn.forReaders(viewEventFromRow(row)))
      .reverse();
  }

  /** What views show of the node is to be looked at. */
  #soil(nodeId: string): void {
    if (this.#dirty.has(nodeId)) return;
    this.#dirty.add(nodeId);
    this.#db.onRollback(() => this.#dirty.delete(nodeId));
  }

  /** Within the transaction: adds to every view what the changes in it mean to it. */
  #settle(): void {
    const { dirty, pending } = { dirty: this.#dirty, pending: this.#pending };
    if (dirty.size === 0 && pending.length === 0) return;
    const concerned = new Set([...dirty, ...pending.flatMap(({ nodeId }) => nodeId ?? [])]);
    this.#dirty = new Set();
    this.#pending = [];
    for (const view of this.#views.values()) {
      const session = this.#sight.sessionOf(view);
      for (const nodeId of concerned) this.#settleNode(view, session, nodeId, dirty.has(nodeId), pending);
    }
  }

  #settleNode(
    view: UserEventLog,
    session: Session,
    nodeId: string,
    dirty: boolean,
    pending: readonly ControlEvent[],
  ): void {
    const before = view.visible.get(nodeId) ?? new Set<string>();
    const after = dirty ? this.#sight.at(session, nodeId) : before;
    const own = pending.filter((event) => event.nodeId === nodeId);
    const reported = own
      .filter(({ kind }) => kind === 'services')
      .map(({ payload }) => payload as never as Delta);
    const delta = deltaOfView(before, after, reported, this.#nodes.get(nodeId)?.services);
    if (dirty) this.#db.onRollback(() => show(view, nodeId, before));
    show(view, nodeId, after);
    for (const piece of piecesOf(delta)) this.#append(view, 'services', nodeId, { ...piece });
    this.#withdraw(view, nodeId, delta.removed, after.size === 0);
    if (before.size === 0 && after.size === 0) return;
    for (const event of own) this.#show(view, event, nodeId, after);
  }

  /** Notes which of the removed were hidden by the event that was appended last: they are there still. */
  #withdraw(view: UserEventLog, nodeId: string, removed: readonly DeltaEntry[], node: boolean): void {
    const there = this.#nodes.get(nodeId)?.services;
    const services = removed.map(({ service_id }) => service_id).filter((id) => there?.has(id));
    if (services.length === 0) return;
    const before = view.withdrawn;
    this.#db.onRollback(() => (view.withdrawn = before));
    view.withdrawn = before.and(nodeId, { services, node }, view.head, view.rows.first - 1);
    this.#db.run('UPDATE views SET visible = ? WHERE view_id = ?', view.withdrawn.toText(), view.id);
    this.#db.afterChange(() => this.withdrew.emit(view.id));
  }

  /** An event of the node, or of a service that the view shows, as far as it is this view's business. */
  #show(
    view: UserEventLog,
    { kind, payload }: ControlEvent,
    nodeId: string,
    shown: ReadonlySet<string>,
  ): void {
    const isShown = shown.size > 0 || kind === 'node_deleted';
    if (FOR_USERS.has(kind) && isShown) this.#append(view, kind, nodeId, {});
    if (!OF_A_SERVICE.has(kind) || !shown.has(payload['service_id'] as string)) return;
    const owner = ownerOfEvent(kind, payload);
    const { agentId } = view.session;
    const isOwn =
      owner === null ||
      (owner['role'] === 'user' && owner['agent_id'] === agentId && owner['project_id'] === view.projectId);
    if (isOwn) this.#append(view, kind, nodeId, factsForUsers(payload));
  }

  #append(view: UserEventLog, kind: EventKind, nodeId: string, payload: JsonObject): void {
    const seq = ++view.head;
    this.#db.onRollback(() => (view.head = seq - 1));
    const text = JSON.stringify(payload);
    const owner = ownerOf(nodeId, kind, payload);
    this.#db.run(
      `INSERT INTO view_events (view_id, seq, timestamp_ms, kind, node_id, payload, owner, bytes)
       VALUES (?,?,?,?,?,?,?,?)`,
      view.id,
      seq,
      this.#clock.now(),
      kind,
      nodeId,
      text,
      owner,
      view.rows.add(owner, text),
    );
    if (seq % COMPACT_EVERY === 0) this.#compact(view);
    this.#tell(view, { revision: seq, timestampMs: this.#clock.now(), kind, nodeId, payload });
  }

  /** Once it is on disk. */
  #tell(view: UserEventLog, event: ViewEvent): void {
    this.#db.afterChange(() => {
      const recent = [...(this.#recent.get(view.id) ?? []).slice(-KEEP_RECENT), event];
      this.#recent.set(view.id, recent);
      this.appended.emit(view.id);
    });
  }

  /** Forgets what exceeds the retention: of this view, and of those that have the most of what all may have. */
  #compact(view: UserEventLog): void {
    const { maxEvents, maxAgeMs, maxViewBytes } = this.#retention;
    view.rows.forgetOlderThan(this.#clock.now() - maxAgeMs);
    view.rows.shrink('records', maxEvents);
    const all = [...this.#views.values()];
    const share = fairShare(
      all.map(({ rows }) => rows.bytes),
      maxViewBytes,
    );
    for (const { rows } of all) rows.shrink('bytes', share);
  }

  /** The past, as far as it concerns what the view shows now. */
  #seed(view: UserEventLog): void {
    for (const event of this.#events.recent(SEED_EVENTS)) {
      const shown = event.nodeId === null ? undefined : view.visible.get(event.nodeId);
      if (event.nodeId === null || shown === undefined) continue;
      if (event.kind === 'services') {
        const only = (list: string): JsonObject[] =>
          (event.payload[list] as unknown as readonly DeltaEntry[]).filter(({ service_id }) =>
            shown.has(service_id),
          );
        const delta = { added: only('added'), updated: only('updated'), removed: only('removed') };
        if (delta.added.length + delta.updated.length + delta.removed.length > 0)
          this.#append(view, 'services', event.nodeId, delta);
      } else this.#show(view, event, event.nodeId, shown);
    }
  }

  #viewFromRow(row: Row): UserEventLog {
    const key = row['key'] as string;
    const id = row['view_id'] as number;
    const [agentId, projectId, verified] = JSON.parse(key) as [string | null, string | null, boolean];
    const head = this.#db.require(
      'SELECT COALESCE(MAX(seq), 0) AS head FROM view_events WHERE view_id = ?',
      id,
    );
    const view: UserEventLog = {
      id,
      key,
      session: { id: `view-${id}`, role: 'user', agentId, revoked: false },
      projectId,
      verified,
      visible: new Map(),
      withdrawn: Withdrawals.parse(row['visible'] as string),
      rows: new EventRows(this.#db, {
        ...{ table: 'view_events', number: 'seq' },
        ...{ where: 'view_id = ?', values: [id] },
      }),
      head: head['head'] as number,
      lastUsedMs: row['last_used_ms'] as number,
    };
    this.#byId.set(id, view);
    view.visible = this.#sight.of(this.#sight.sessionOf(view));
    return view;
  }

  #load(): void {
    for (const row of this.#db.all('SELECT * FROM views'))
      this.#views.set(row['key'] as string, this.#viewFromRow(row));
  }
}

const FOR_USERS = new Set<EventKind>(['node_online', 'node_offline', 'node_deleted']);
