import { join } from 'node:path';
import { DiskReserve, makePrivateDir } from '../../disk/index.js';
import { silentLog, systemClock, type Clock, type Log } from '../../core/index.js';
import { Access } from '../access.js';
import { AuditLog } from './audit.js';
import { DEFAULT_AUDIT_RETENTION, type AuditRetention } from './audit-sweep.js';
import { ConsoleSessions } from './console-sessions.js';
import { ControlDatabase } from './database.js';
import { DEFAULT_RETENTION, EventLog, type Retention } from './events.js';
import { writeFirstTokens } from './first-start.js';
import { GroupCommit } from './group-commit.js';
import type { HistoryRetention } from './history/history-retention.js';
import { ReloadReports } from './history/reload-reports.js';
import { ServiceHistory } from './history/service-history.js';
import { Nodes } from './nodes.js';
import { Pairing } from './pairing.js';
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

/** All that a control plane knows, over one database. Each concern is a class of its own. */
export class ControlStore {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly tokens: Tokens;
  readonly projects: Projects;
  readonly sessions: Sessions;
  readonly consoles: ConsoleSessions;
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
  readonly #db: ControlDatabase;
  readonly #group: GroupCommit;
  readonly #reserve: DiskReserve;

  /** @throws FsError EBUSY (in use), EINVAL (written by a newer release) */
  constructor({
    stateDir,
    clock = systemClock,
    log = silentLog,
    retention = {},
    auditRetention = {},
    historyRetention = {},
  }: StoreOptions) {
    makePrivateDir(stateDir);
    const db = new ControlDatabase(join(stateDir, 'control.db'));
    this.#db = db;
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
      this.nodes = new Nodes(db, clock, this.events);
      this.history = new ServiceHistory(
        db,
        clock,
        { nodes: this.nodes, events: this.events },
        historyRetention,
      );
      this.reloads = new ReloadReports(db, clock, this.events);
      this.access = new Access(this.projects);
      const rooms = { events: this.events, nodes: this.nodes, projects: this.projects, access: this.access };
      this.userEvents = new UserEventLogs(db, clock, rooms, keep);
      this.sessions = new Sessions(db, clock, this.tokens, this.projects);
      this.consoles = new ConsoleSessions(this.sessions, this.tokens);
      this.pairing = new Pairing(db, clock, { nodes: this.nodes, events: this.events });
      this.audit = new AuditLog(db, clock, { ...DEFAULT_AUDIT_RETENTION, ...auditRetention });
      this.keys = { cursor: db.secret('cursor_key'), audit: db.secret('audit_key') };
      this.projects.changing.on((projectId) => {
        const gone = this.projects.get(projectId) === undefined;
        this.events.append(gone ? 'project_deleted' : 'project_changed', null, { project_id: projectId });
      });
      this.sessions.sweep(SESSION_KEEP_MS);
      writeFirstTokens(db, this.tokens, stateDir);
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
    return this.#group.submit(work);
  }

  /** As `commit`, for what an admin does about a full disk, and what goes: it may use what is held in reserve. */
  commitThoughFull<T>(work: () => T): Promise<T> {
    return this.#group.submit(work, (run) => this.#reserve.use(run));
  }

  /** As `commit`, at once and by itself, where nobody can wait: on return it is on disk. */
  change<T>(work: () => T): T {
    return this.#db.change(work);
  }

  close(): void {
    this.#group.close();
    this.sessions.flush();
    this.#reserve.close();
    this.#db.close();
  }
}
