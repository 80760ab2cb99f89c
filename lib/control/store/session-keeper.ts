import type { Clock } from '../../core/index.js';
import type { ControlDatabase } from './database.js';
import type { Later } from './later.js';

/** Sessions of one token that are kept; of more, those that nobody used for longest go. */
export const MAX_SESSIONS_OF_A_TOKEN = 1000;
/** How long a session that nobody uses is kept. */
export const SESSION_KEEP_MS = 7 * 24 * 60 * 60 * 1000;
/** How many go at once, so that not each new session has to look for the oldest. */
const TRIM_STEP = 64;
/** How many ends of use may wait to be written. */
const MAX_UNWRITTEN = 256;
/** One that began or was used so lately (ms) is not forgotten for others: whoever has it is on the way. */
const RECENT_MS = 60_000;
/** Of more, those that came first count as recent no longer. */
const MAX_RECENT = 512;

/** Several control planes over one log. */
export interface SessionReplicas {
  readonly selfId: string;
  /** The ids of those that are there, and for a while of those that were. */
  known(): ReadonlySet<string>;
}

export interface KeeperOptions {
  readonly isLive: (sessionId: string) => boolean;
  readonly later: Later;
  /** Undefined where this control plane is the only one. */
  readonly replicas: SessionReplicas | undefined;
}

/**
 * Which sessions are kept: those in use always, of the others as many and as long as one token is worth. Of several control planes,
 * each knows what is in use at itself alone: the row of a session names the one that used it last, which makes room of it.
 */
export class SessionKeeper {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #isLive: (sessionId: string) => boolean;
  readonly #later: Later;
  readonly #replicas: SessionReplicas | undefined;
  /** When those were used last that are no longer, as far as it is not on disk. */
  readonly #released = new Map<string, number>();
  /** Those that began or were used here a moment ago, the last of them last, and when that was by a clock that does not step. */
  readonly #recent = new Map<string, number>();
  /** Tokens with more live sessions than are kept, and how many they may have before it is looked again. */
  readonly #due = new Map<string, number>();

  constructor(db: ControlDatabase, clock: Clock, { isLive, later, replicas }: KeeperOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#isLive = isLive;
    this.#later = later;
    this.#replicas = replicas;
  }

  /** The replica whose sessions begin here; null where there is but one control plane. */
  get replica(): string | null {
    return this.#replicas?.selfId ?? null;
  }

  /** Somebody goes on with it here. */
  resumed(sessionId: string): void {
    if (this.#replicas === undefined) {
      this.#db.changeLightly(() => this.#seen(sessionId, this.#clock.now()));
      return;
    }
    this.released(sessionId);
    const { selfId } = this.#replicas;
    if (this.#holderOf(sessionId) === selfId) return;
    const take = (): unknown =>
      this.#db.run('UPDATE sessions SET replica = ? WHERE session_id = ?', selfId, sessionId);
    if (this.#db.isChanging) this.#db.changeLightly(take);
    else this.#later(take);
  }

  /** It begins here. Until its client has had the answer and comes with it, nobody uses it. */
  begun(sessionId: string): void {
    this.#noteRecent(sessionId);
  }

  /** Nobody uses it any more; from now on it gets older. */
  released(sessionId: string): void {
    this.#noteRecent(sessionId);
    this.#released.set(sessionId, this.#clock.now());
    if (this.#released.size >= MAX_UNWRITTEN) this.flush();
  }

  /** Puts on disk when sessions were used last. */
  flush(): void {
    if (this.#released.size === 0) return;
    const released = [...this.#released];
    this.#released.clear();
    const write = (): void => {
      for (const [sessionId, atMs] of released) this.#seen(sessionId, atMs);
    };
    if (this.#db.isCopy && !this.#db.isChanging) this.#later(write);
    else this.#db.changeLightly(write);
  }

  /** Makes room for one more session of the token, within the transaction that begins it. */
  makeRoom(tokenId: string): void {
    const row = this.#db.require('SELECT COUNT(*) AS count FROM sessions WHERE token_id = ?', tokenId);
    let count = row['count'] as number;
    if (count < (this.#due.get(tokenId) ?? MAX_SESSIONS_OF_A_TOKEN)) return;
    this.flush();
    // Who used those of one that is gone is at another one by now, which may not have been able to say so yet.
    const others = new Set(this.#replicas?.known());
    others.delete(this.#replicas?.selfId ?? '');
    const oldestFirst = this.#db
      .all(
        'SELECT session_id, closed_at_ms, replica FROM sessions WHERE token_id = ? ORDER BY closed_at_ms IS NULL, last_seen_ms',
        tokenId,
      )
      .filter(({ closed_at_ms: closed, replica }) => closed !== null || !others.has(replica as string));
    let left = oldestFirst.length;
    for (const { session_id: id, closed_at_ms: closed } of oldestFirst) {
      if (left <= MAX_SESSIONS_OF_A_TOKEN - TRIM_STEP) break;
      const isRecent = closed === null && this.#isRecent(id as string);
      if (isRecent || !this.#forget(id as string)) continue;
      left--;
      count--;
    }
    if (count < MAX_SESSIONS_OF_A_TOKEN) this.#due.delete(tokenId);
    else this.#due.set(tokenId, count + TRIM_STEP);
  }

  /** Forgets sessions that ended, or that nobody uses, and that were used last before `keepMs` ago. */
  sweep(keepMs: number): void {
    const now = this.#clock.now();
    this.#db.changeLightly(() => {
      this.flush();
      // Of several replicas, each says in time which are in use at it: the others see only how old they are.
      const youngest = now - (this.#db.isCopy ? keepMs / 4 : keepMs);
      for (const { session_id, last_seen_ms: seenMs } of this.#db.all(
        'SELECT session_id, last_seen_ms FROM sessions WHERE last_seen_ms < ?',
        youngest,
      )) {
        const id = session_id as string;
        // One that is in use is as young as can be, also for a start that follows a kill.
        if (this.#isLive(id)) this.#seen(id, now);
        else if ((seenMs as number) < now - keepMs) this.#forget(id);
      }
    });
  }

  #noteRecent(sessionId: string): void {
    const now = performance.now();
    this.#recent.delete(sessionId);
    this.#recent.set(sessionId, now);
    for (const [id, sinceMs] of this.#recent) {
      if (this.#recent.size <= MAX_RECENT && now - sinceMs < RECENT_MS) break;
      this.#recent.delete(id);
    }
  }

  #isRecent(sessionId: string): boolean {
    const sinceMs = this.#recent.get(sessionId);
    return sinceMs !== undefined && performance.now() - sinceMs < RECENT_MS;
  }

  #holderOf(sessionId: string): string | null {
    const row = this.#db.get('SELECT replica FROM sessions WHERE session_id = ?', sessionId);
    return (row?.['replica'] ?? null) as string | null;
  }

  #seen(sessionId: string, atMs: number): void {
    this.#db.run('UPDATE sessions SET last_seen_ms = ? WHERE session_id = ?', atMs, sessionId);
  }

  #forget(sessionId: string): boolean {
    if (this.#isLive(sessionId)) return false;
    this.#db.run('DELETE FROM sessions WHERE session_id = ?', sessionId);
    return true;
  }
}
