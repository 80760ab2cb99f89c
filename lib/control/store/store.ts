import { join } from 'node:path';
import { DiskReserve, openStateDir } from '../../disk/index.js';
import { silentLog, systemClock, type Clock, type Log } from '../../core/index.js';
import type { Awaitable } from '../../vfs/index.js';
import type { Session } from '../../policy/index.js';
import { Access } from '../access.js';
import { AuditLog } from './audit.js';
import { DEFAULT_AUDIT_RETENTION, type AuditRetention } from './audit-sweep.js';
import { ConsoleLinks } from './console-links.js';
import { ConsoleSessions } from './console-sessions.js';
import { ControlDatabase } from './database.js';
import { DEFAULT_RETENTION, EventLog, type Retention } from './events.js';
import { writeFirstTokens } from './first-start.js';
import { GroupCommit } from './group-commit.js';
import type { Later } from './later.js';
import type { HistoryRetention } from './history/history-retention.js';
import { ReloadReports } from './history/reload-reports.js';
import { ServiceHistory } from './history/service-history.js';
import { Nodes } from './nodes.js';
import { Pairing } from './pairing.js';
import type { Replica } from './replica/replica.js';
import { AskedTogether } from './replica/asked-together.js';
import { Replicas } from './replica/replicas.js';
import type { Derived } from './replica/row-changes.js';
import { Projects } from './projects.js';
import { SESSION_KEEP_MS } from './session-keeper.js';
import { Sessions } from './sessions.js';
import { Tokens } from './tokens.js';
import { UserEventLogs } from './user-event-logs.js';

export interface StoreOptions {
  /** Where `control.db` and the first tokens live; made if absent, mode 0700. */
  readonly stateDir: string;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly retention?: Partial<Retention>;
  readonly auditRetention?: Partial<AuditRetention>;
  readonly historyRetention?: Partial<HistoryRetention>;
}

/** What one of several control planes has in place of a database of its own. */
export interface SharedState {
  /** A copy of what the log says, caught up with it once. */
  readonly db: ControlDatabase;
  readonly replica: Replica;
}

/** All that a control plane knows, over one database. Each concern is a class of its own. */
export class ControlStore {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly tokens: Tokens;
  readonly projects: Projects;
  readonly sessions: Sessions;
  readonly consoles: ConsoleSessions;
  readonly consoleLinks: ConsoleLinks;
  readonly events: EventLog;
  readonly nodes: Nodes;
  readonly history: ServiceHistory;
  readonly reloads: ReloadReports;
  readonly access: Access;
  readonly userEvents: UserEventLogs;
  readonly pairing: Pairing;
  readonly audit: AuditLog;
  /** Keys for what leaves the store: cursors, and hashes of payloads in the audit log. */
  readonly keys: { readonly cursor: Buffer; readonly audit: Buffer };
  /** The other control planes over the same log; undefined where this is the only one. */
  readonly replicas: Replicas | undefined;
  readonly #db: ControlDatabase;
  readonly #group: GroupCommit;
  readonly #caughtUp: AskedTogether | undefined;
  readonly #replica: Replica | undefined;
  readonly #reserve: DiskReserve;
  readonly #log: Log;

  /** @throws FsError EBUSY (in use), EINVAL (written by a newer release) */
  constructor(
    {
      stateDir,
      clock = systemClock,
      log = silentLog,
      retention = {},
      auditRetention = {},
      historyRetention = {},
    }: StoreOptions,
    shared?: SharedState,
  ) {
    openStateDir(stateDir);
    const db = shared?.db ?? new ControlDatabase(join(stateDir, 'control.db'));
    this.#db = db;
    this.#log = log;
    this.#replica = shared?.replica;
    this.#caughtUp = shared && new AskedTogether(() => shared.replica.catchUp());
    this.#group = new GroupCommit(db);
    try {
      this.#reserve = new DiskReserve(join(stateDir, 'control.db.reserve'), { log });
    } catch (thrown) {
      db.close();
      throw thrown;
    }
    try {
      this.stateDir = stateDir;
      this.clock = clock;
      const keep = { ...DEFAULT_RETENTION, ...retention };
      this.tokens = new Tokens(db, clock);
      this.projects = new Projects(db, clock);
      this.events = new EventLog(db, clock, keep);
      this.nodes = new Nodes(db, clock, this.events, shared?.replica.membership.selfId);
      this.history = new ServiceHistory(
        db,
        clock,
        { nodes: this.nodes, events: this.events },
        historyRetention,
      );
      this.reloads = new ReloadReports(db, clock, this.events);
      this.access = new Access(this.projects);
      const later: Later = (work) => this.later(work);
      const { events, nodes, projects, access } = this;
      const rooms = { events, nodes, projects, access, later };
      this.userEvents = new UserEventLogs(db, clock, rooms, keep);
      this.sessions = new Sessions(db, clock, {
        ...{ tokens: this.tokens, projects, later },
        replicas: shared?.replica.membership,
      });
      this.consoles = new ConsoleSessions(this.sessions, this.tokens);
      this.consoleLinks = new ConsoleLinks(db, clock);
      this.pairing = new Pairing(db, clock, { nodes: this.nodes, events: this.events });
      this.audit = new AuditLog(db, clock, { ...DEFAULT_AUDIT_RETENTION, ...auditRetention });
      this.keys = { cursor: db.secret('cursor_key'), audit: db.secret('audit_key') };
      this.projects.changing.on((projectId) => {
        const gone = this.projects.get(projectId) === undefined;
        this.events.append(gone ? 'project_deleted' : 'project_changed', null, { project_id: projectId });
      });
      this.replicas = shared && new Replicas(shared.replica, { nodes, relayKey: db.secret('relay_key') });
      if (shared === undefined) {
        this.sessions.sweep(SESSION_KEEP_MS);
        writeFirstTokens(db, this.tokens, stateDir);
      }
    } catch (thrown) {
      this.#reserve.close();
      db.close();
      throw thrown;
    }
  }

  /**
   * One change over several concerns: all of it is on disk when this answers, or none of it happened. Changes that wait share
   * a transaction. `work` may be run again after it was undone: it reads by itself what it decides upon.
   */
  commit<T>(work: () => T): Promise<T> {
    return this.#replica?.submit(work) ?? this.#group.submit(work);
  }

  /** As `act`, for what a power cut may undo: it does not wait for the disk where there is no log to wait for. */
  actLightly<T>(work: () => T): Awaitable<T> {
    return this.#replica?.submit(work) ?? this.#db.changeLightly(work);
  }

  /** A change that nobody waits for: it is made at once, or soon, or what is wrong with it is logged. */
  later(work: () => unknown): void {
    if (this.#replica !== undefined && !this.#db.isChanging) {
      this.#replica.submit(work).catch((thrown: unknown) => this.#complain(thrown));
      return;
    }
    try {
      this.#db.change(work);
    } catch (thrown) {
      this.#complain(thrown);
    }
  }

  /** A change that is on disk on return where there is no log to wait for: who can, need not wait for a promise. */
  act<T>(work: () => T): Awaitable<T> {
    return this.#replica?.submit(work) ?? this.#db.change(work);
  }

  /** The view of a user session is there when this answers. */
  ensureView(session: Session): Awaitable<void> {
    if (this.#replica === undefined || session.role === 'admin' || this.userEvents.has(session)) return;
    return this.#replica.submit(() => void this.userEvents.of(session));
  }

  /** Makes what is read afterwards no older than this call: of several control planes, others may have changed it. */
  async catchUp(): Promise<void> {
    await this.#caughtUp?.answered();
  }

  /**
   * What `find` finds. Where that is nothing and there are other control planes, it looks once more as of now: what another one has
   * given and acknowledged is not unknown here.
   */
  findAnywhere<T>(find: () => T | undefined): Awaitable<T | undefined> {
    const found = find();
    if (found !== undefined || this.#caughtUp === undefined) return found;
    return this.catchUp().then(find);
  }

  /** Of several control planes: takes part from now on. */
  async start(address: string): Promise<void> {
    const derived: Derived[] = [this.tokens, this.projects, this.nodes, this.events, this.userEvents];
    await this.#replica?.start([...derived, this.sessions, this.audit, this.history, this.reloads], address);
  }

  /** As `commit`, for what an admin does about a full disk, and what goes: it may use what is held in reserve. */
  commitThoughFull<T>(work: () => T): Promise<T> {
    return this.#replica?.submit(work) ?? this.#group.submit(work, (run) => this.#reserve.use(run));
  }

  /** As `commit`, at once and by itself, where nobody can wait: on return it is on disk. */
  change<T>(work: () => T): T {
    return this.#db.change(work);
  }

  /** Of several control planes: takes part no longer. Answers once what waits is in the log. */
  async leave(): Promise<void> {
    if (this.#replica === undefined) return;
    this.sessions.flush();
    await this.#replica.close();
  }

  close(): void {
    this.#group.close();
    if (this.#replica === undefined) this.sessions.flush();
    this.#reserve.close();
    this.#db.close();
  }

  #complain(thrown: unknown): void {
    this.#log.error('a change that nobody waits for could not be made', { error: thrown });
  }
}
