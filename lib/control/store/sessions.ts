import { Emitter, FsError, type Clock } from '../../core/index.js';
import type { Role, Session, SessionProject } from '../../policy/index.js';
import type { ControlDatabase, Row } from './database.js';
import type { ProjectRecord, Projects } from './projects.js';
import { newPublicId } from './secrets.js';
import { isSessionChange } from './replica/rights.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';
import { SessionKeeper, type KeeperOptions } from './session-keeper.js';
import type { TokenRecord, Tokens } from './tokens.js';

export interface SessionRecord {
  readonly sessionId: string;
  readonly tokenId: string;
  readonly projectId: string | null;
  readonly createdAtMs: number;
  readonly lastSeenMs: number;
  readonly closedAtMs: number | null;
  /** The most that it may be, whatever its token is. */
  readonly maxRole: Role | null;
  /** What its client calls it; no other session of its token is called so. */
  readonly name: string | null;
}

/** What a session has of its own. */
export interface OwnFacts {
  /** The hash of a secret that opens this session and no other. */
  readonly secretHash?: Buffer;
  readonly maxRole?: Role | null;
  /** The session whose project it is attached to, with the same proof. */
  readonly like?: string;
}

/** Which sessions are listed. */
export interface SessionPage {
  readonly tokenId?: string | undefined;
  readonly limit?: number | undefined;
  readonly after?: Pick<SessionRecord, 'createdAtMs' | 'sessionId'> | undefined;
}

/** A session that somebody uses: `current` is replaced, never edited, when what it may do changes. */
export interface LiveSession {
  readonly id: string;
  readonly current: Session;
  readonly tokenId: string;
  /** The new snapshot, after the change was acknowledged to disk and before it is to its author. */
  readonly changes: Emitter<Session>;
}

interface Entry {
  id: string;
  current: Session;
  tokenId: string;
  changes: Emitter<Session>;
}

export interface SessionSurroundings extends Omit<KeeperOptions, 'isLive'> {
  readonly tokens: Tokens;
  readonly projects: Projects;
}

/** Sessions: what a token opened, and the project it is attached to. They outlive connections and restarts. */
export class Sessions implements Derived {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #tokens: Tokens;
  readonly #projects: Projects;
  /** The id of a live session whose snapshot was replaced. */
  readonly changed = new Emitter<string>();
  readonly #live = new Map<string, { entry: Entry; users: number }>();
  readonly #keeper: SessionKeeper;

  constructor(db: ControlDatabase, clock: Clock, { tokens, projects, later, replicas }: SessionSurroundings) {
    this.#db = db;
    this.#clock = clock;
    this.#tokens = tokens;
    this.#projects = projects;
    this.#keeper = new SessionKeeper(db, clock, { isLive: (id) => this.#live.has(id), later, replicas });
    tokens.changed.on((tokenId) => this.#refresh((entry) => entry.tokenId === tokenId));
    projects.changed.on((projectId) => this.#refresh((entry) => entry.current.project?.id === projectId));
  }

  /** What others did to sessions that are used here. */
  applied(rows: AppliedRows): void {
    const changed = new Set(
      rows
        .of('sessions')
        .filter(isSessionChange)
        .map(({ key }) => key[0] as string),
    );
    if (changed.size > 0) this.#db.afterChange(() => this.#refresh(({ id }) => changed.has(id)));
  }

  /**
   * What makes a session, as one transaction. It does not wait for the disk: a session that a power cut took
   * is begun anew by a client that comes back to it.
   */
  begin<T>(work: () => T): T {
    return this.#db.changeLightly(work);
  }

  create(token: TokenRecord, tokenHash: Buffer, own: OwnFacts = {}): SessionRecord {
    const sessionId = `s-${newPublicId(12)}`;
    const now = this.#clock.now();
    this.begin(() => {
      this.#keeper.makeRoom(token.tokenId);
      this.#keeper.begun(sessionId);
      this.#db.run(
        `INSERT INTO sessions (session_id, token_id, token_hash, created_at_ms, last_seen_ms, secret_hash, max_role, replica,
           project_id, project_proof)
         SELECT ?,?,?,?,?,?,?,?, project_id, project_proof
         FROM (SELECT 1) LEFT JOIN sessions AS other ON other.session_id = ?`,
        sessionId,
        token.tokenId,
        tokenHash,
        now,
        now,
        own.secretHash ?? null,
        own.maxRole ?? null,
        this.#keeper.replica,
        own.like ?? '',
      );
    });
    return this.require(sessionId);
  }

  /** @throws FsError ENOENT */
  require(sessionId: string): SessionRecord {
    const record = this.get(sessionId);
    if (record === undefined) throw new FsError('ENOENT', `There is no session "${sessionId}".`);
    return record;
  }

  get(sessionId: string): SessionRecord | undefined {
    const row = this.#db.get('SELECT * FROM sessions WHERE session_id = ?', sessionId);
    return row && recordFromRow(row);
  }

  /** The id of the session of the token that is called so; else the text itself, which may be an id. */
  idFrom(tokenId: string, text: string): string {
    const row = this.#db.get(
      'SELECT session_id FROM sessions WHERE token_id = ? AND name = ?',
      tokenId,
      text,
    );
    return (row?.['session_id'] as string | undefined) ?? text;
  }

  /** It is called so from now on, and no other session of its token is. */
  call(sessionId: string, name: string): void {
    this.#db.changeLightly(() => {
      const { tokenId } = this.require(sessionId);
      this.#db.run('UPDATE sessions SET name = NULL WHERE token_id = ? AND name = ?', tokenId, name);
      this.#db.run('UPDATE sessions SET name = ? WHERE session_id = ?', name, sessionId);
    });
  }

  /** The hash of the secret that opens this session; undefined where it has none of its own, or has ended. */
  secretHash(sessionId: string): Buffer | undefined {
    const row = this.#db.get('SELECT secret_hash FROM sessions WHERE session_id = ?', sessionId);
    const hash = row?.['secret_hash'] as Buffer | null | undefined;
    return hash == null || this.snapshot(sessionId).revoked ? undefined : hash;
  }

  /** Open sessions, of one token or of all, oldest first; those after `after`, where it is given. */
  list({ tokenId, limit, after }: SessionPage = {}): SessionRecord[] {
    return this.#db
      .all(
        `SELECT * FROM sessions WHERE closed_at_ms IS NULL AND token_id = COALESCE(?, token_id)
         AND (created_at_ms, session_id) > (?, ?) ORDER BY created_at_ms, session_id LIMIT ?`,
        tokenId ?? null,
        after?.createdAtMs ?? -1,
        after?.sessionId ?? '',
        limit ?? -1,
      )
      .map(recordFromRow);
  }

  /** Uses a session; each use ends with one `release`. Users of the same session share one live view of it. */
  use(sessionId: string): LiveSession {
    let held = this.#live.get(sessionId);
    if (held === undefined) {
      const record = this.get(sessionId);
      if (record === undefined) throw new FsError('ENOENT', `There is no session "${sessionId}".`);
      const current = this.snapshot(sessionId);
      held = { entry: { id: sessionId, current, tokenId: record.tokenId, changes: new Emitter() }, users: 0 };
      this.#live.set(sessionId, held);
    }
    held.users++;
    return held.entry;
  }

  release(session: LiveSession): void {
    const held = this.#live.get(session.id);
    if (held === undefined || held.entry !== session) return;
    if (--held.users > 0) return;
    this.#live.delete(session.id);
    this.#keeper.released(session.id);
  }

  /** How many use it now. */
  usersOf(sessionId: string): number {
    return this.#live.get(sessionId)?.users ?? 0;
  }

  get live(): readonly LiveSession[] {
    return [...this.#live.values()].map(({ entry }) => entry);
  }

  /**
   * Attaches to a project, or to none. A project that the token may not attach to is as absent as one
   * that does not exist.
   * @throws FsError ENOENT, EACCES (the project token is wrong)
   */
  attach(sessionId: string, projectId: string | null, projectToken: string | null): void {
    const record = this.get(sessionId);
    if (record === undefined || record.closedAtMs !== null)
      throw new FsError('ENOENT', 'There is no such session.');
    let proof: Buffer | null = null;
    if (projectId !== null) {
      const token = this.#tokens.get(record.tokenId);
      const allowed = token?.projects == null || token.projects.includes(projectId);
      if (!allowed || this.#projects.get(projectId) === undefined)
        throw new FsError('ENOENT', `There is no project "${projectId}".`);
      if (projectToken !== null) {
        const found = this.#projects.proofFrom(projectId, projectToken);
        if (found === undefined) throw new FsError('EACCES', 'That is not the token of this project.');
        proof = found;
      }
    }
    this.#db.change(() => {
      this.#db.run(
        'UPDATE sessions SET project_id = ?, project_proof = ? WHERE session_id = ?',
        projectId,
        proof,
        sessionId,
      );
      this.#db.afterChange(() => this.#refresh((entry) => entry.id === sessionId));
    });
  }

  close(sessionId: string): void {
    this.#db.change(() => {
      this.#db.run(
        'UPDATE sessions SET closed_at_ms = ?, name = NULL WHERE session_id = ? AND closed_at_ms IS NULL',
        this.#clock.now(),
        sessionId,
      );
      this.#db.afterChange(() => this.#refresh((entry) => entry.id === sessionId));
    });
  }

  touch(sessionId: string): void {
    this.#keeper.resumed(sessionId);
  }

  /** Forgets sessions that ended, or that nobody used for `keepMs`. */
  sweep(keepMs: number): void {
    this.#keeper.sweep(keepMs);
  }

  /** Puts on disk when sessions were used last. */
  flush(): void {
    this.#keeper.flush();
  }

  /** What the session may do, as of now. */
  snapshot(sessionId: string): Session {
    const row = this.#db.get('SELECT * FROM sessions WHERE session_id = ?', sessionId);
    const token = row && this.#tokens.get(row['token_id'] as string);
    if (row === undefined || token === undefined)
      return { id: sessionId, role: 'user', agentId: null, project: null, revoked: true };
    const live = this.#tokens.liveHash(token.tokenId);
    const opened = row['token_hash'] as Buffer;
    const projectId = row['project_id'] as string | null;
    const project = projectId === null ? undefined : this.#projects.get(projectId);
    const role = row['max_role'] === 'user' ? 'user' : token.role;
    return {
      id: sessionId,
      role,
      agentId: token.agentId,
      project:
        project !== undefined
          ? this.#sessionProject(project, row['project_proof'] as Buffer | null)
          : mustAttach({ ...token, role })
            ? UNATTACHED
            : null,
      // A project that was deleted takes its sessions with it: without it they would see more than with it.
      revoked:
        row['closed_at_ms'] !== null ||
        live?.equals(opened) !== true ||
        (projectId !== null && project === undefined),
    };
  }

  #sessionProject(project: ProjectRecord, proof: Buffer | null): Session['project'] {
    const hash = this.#projects.tokenHash(project.projectId);
    return {
      id: project.projectId,
      verified: proof !== null && hash?.equals(proof) === true,
      hasToken: project.hasToken,
      accessPolicy: project.accessPolicy ?? undefined,
    };
  }

  #refresh(concerns: (entry: Entry) => boolean): void {
    for (const { entry } of [...this.#live.values()]) {
      if (!concerns(entry)) continue;
      entry.current = this.snapshot(entry.id);
      entry.changes.emit(entry.current);
      this.changed.emit(entry.id);
    }
  }
}

/** Whether the token is for projects alone: without one, its sessions see nothing. */
export function mustAttach({ role, projects }: Pick<TokenRecord, 'role' | 'projects'>): boolean {
  return role === 'user' && projects !== null;
}

/** Stands for the project that such a session has yet to attach to. */
const UNATTACHED: SessionProject = {
  id: '',
  verified: false,
  hasToken: true,
  accessPolicy: {
    observe: 'deny',
    read: 'deny',
    write: 'deny',
    invoke: 'deny',
    control: 'deny',
    mount: 'deny',
  },
};

function recordFromRow(row: Row): SessionRecord {
  return {
    sessionId: row['session_id'] as string,
    tokenId: row['token_id'] as string,
    projectId: row['project_id'] as string | null,
    createdAtMs: row['created_at_ms'] as number,
    lastSeenMs: row['last_seen_ms'] as number,
    closedAtMs: row['closed_at_ms'] as number | null,
    maxRole: row['max_role'] as Role | null,
    name: row['name'] as string | null,
  };
}
