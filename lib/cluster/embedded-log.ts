import { createHash, randomUUID } from 'node:crypto';
import Database from 'libsql';
import { Emitter, FsError } from '../core/index.js';
import type {
  LogEntry,
  MemberFacts,
  MemberState,
  NewEntry,
  Position,
  Renewal,
  Renewing,
  ReplicatedLog,
  Snapshot,
  Turn,
} from './log.js';

const TABLES = `
  CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), log_id TEXT, seq INTEGER, entry_id TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, entry BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS snapshots (
    seq INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, format INTEGER NOT NULL, digest BLOB NOT NULL, data BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS members (
    id TEXT PRIMARY KEY, facts TEXT NOT NULL, applied_seq INTEGER NOT NULL, beat INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
  ) STRICT;
`;

type Row = Readonly<Record<string, string | number | Buffer | ArrayBuffer | null>>;

/** The log in a file of SQLite, for replicas on one machine: the same contract, without a server. */
export class EmbeddedLog implements ReplicatedLog {
  readonly engine = 'embedded';
  readonly logId: string;
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #appended = new Emitter<number | null>();
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
    this.#db = new Database(path);
    this.#db.exec('PRAGMA busy_timeout=2000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    this.#db.exec(TABLES);
    this.#db.prepare(`INSERT OR IGNORE INTO head VALUES (1, ?, 0, '')`).run(randomUUID());
    this.logId = this.#row('SELECT log_id FROM head')?.['log_id'] as string;
  }

  async append(after: number, { id, data }: NewEntry): Promise<boolean> {
    const appended = this.#within(() => {
      if (this.#head().seq !== after)
        return this.#row('SELECT entry_id FROM log WHERE seq = ?', after + 1)?.['entry_id'] === id;
      this.#db.prepare('INSERT INTO log VALUES (?,?,?)').run(after + 1, id, data);
      this.#db.prepare('UPDATE head SET seq = ?, entry_id = ?').run(after + 1, id);
      return true;
    });
    this.#appended.emit(after + 1);
    return appended;
  }

  /** There is no waiting: those of one machine are quick, and who comes second sees that. */
  async beginTurn(after: number, limit: number): Promise<Turn> {
    const append: Turn['append'] = (...asked) => this.append(...asked);
    return { ...(await this.read(after, limit)), append, end: async () => undefined };
  }

  async read(after: number, limit: number): Promise<{ entries: LogEntry[]; head: Position }> {
    return this.#within(() => {
      const head = this.#head();
      const rows = this.#db
        .prepare('SELECT * FROM log WHERE seq > ? ORDER BY seq LIMIT ?')
        .all(after, limit) as Row[];
      const first = rows[0]?.['seq'] as number | undefined;
      if (head.seq > after && first !== after + 1)
        throw new FsError(
          'EOVERFLOW',
          `Entries of the log up to ${(first ?? head.seq + 1) - 1} were trimmed.`,
        );
      const entries = rows.map((row) => ({
        seq: row['seq'] as number,
        id: row['entry_id'] as string,
        data: bytesOf(row['entry']),
      }));
      return { entries, head };
    });
  }

  async idAt(seq: number): Promise<string | undefined> {
    return this.#row('SELECT entry_id FROM log WHERE seq = ?', seq)?.['entry_id'] as string | undefined;
  }

  follow(wake: (appended: number | null) => void): () => void {
    return this.#appended.on(wake);
  }

  async newestSnapshot(format: number): Promise<Snapshot | undefined> {
    const row = this.#row('SELECT * FROM snapshots WHERE format <= ? ORDER BY seq DESC LIMIT 1', format);
    if (row === undefined) return undefined;
    const data = bytesOf(row['data']);
    if (!digestOf(data).equals(bytesOf(row['digest'])))
      throw new FsError('EIO', `A snapshot in ${this.#path} is damaged.`, { path: this.#path });
    return {
      seq: row['seq'] as number,
      id: row['entry_id'] as string,
      format: row['format'] as number,
      data,
    };
  }

  async lastSnapshot(): Promise<(Position & { format: number }) | undefined> {
    const row = this.#row('SELECT seq, entry_id, format FROM snapshots ORDER BY seq DESC LIMIT 1');
    return (
      row && { seq: row['seq'] as number, id: row['entry_id'] as string, format: row['format'] as number }
    );
  }

  async writeSnapshot({ seq, id, format, data }: Snapshot): Promise<void> {
    this.#db
      .prepare('INSERT OR IGNORE INTO snapshots VALUES (?,?,?,?,?)')
      .run(seq, id, format, digestOf(data), data);
  }

  async trim(seq: number): Promise<void> {
    this.#within(() => {
      this.#db.prepare('DELETE FROM log WHERE seq <= ?').run(seq);
      this.#db.exec(
        'DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2)',
      );
    });
  }

  async renew(member: MemberFacts, { appliedSeq, leaseMs, outOfTurn, forget }: Renewing): Promise<Renewal> {
    const renewal = this.#within(() => {
      const now = Date.now();
      this.#db
        .prepare(
          `INSERT INTO members VALUES (?,?,?,1,?) ON CONFLICT (id) DO UPDATE SET facts = excluded.facts,
           applied_seq = excluded.applied_seq, beat = beat + 1, expires_at_ms = excluded.expires_at_ms`,
        )
        .run(member.id, JSON.stringify(member), appliedSeq, now + leaseMs);
      this.#db
        .prepare('DELETE FROM members WHERE expires_at_ms < ? AND id IN (SELECT value FROM json_each(?))')
        .run(now, JSON.stringify(forget));
      const rows = this.#db.prepare('SELECT * FROM members').all() as Row[];
      const members = rows.map((row): MemberState => ({
        ...(JSON.parse(row['facts'] as string) as MemberFacts),
        appliedSeq: row['applied_seq'] as number,
        beat: row['beat'] as number,
        leaseLeftMs: (row['expires_at_ms'] as number) - now,
      }));
      return { head: this.#head(), members };
    });
    if (outOfTurn) this.#appended.emit(null);
    return renewal;
  }

  async leave(memberId: string): Promise<void> {
    this.#within(() => this.#db.prepare('DELETE FROM members WHERE id = ?').run(memberId));
    this.#appended.emit(null);
  }

  facts(): { host: string | null; reconnects: number } {
    return { host: this.#path, reconnects: 0 };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#db.close();
  }

  #head(): Position {
    const row = this.#row('SELECT seq, entry_id FROM head');
    return { seq: row?.['seq'] as number, id: row?.['entry_id'] as string };
  }

  #row(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.#db.prepare(sql).get(values) as Row | undefined;
  }

  #within<T>(work: () => T): T {
    if (this.#isClosed) throw new FsError('EHOSTDOWN', 'The log is closed.');
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (thrown) {
      this.#db.exec('ROLLBACK');
      throw thrown;
    }
  }
}

/** Of several rows read at once, the database gives bytes as an ArrayBuffer. */
const bytesOf = (value: Row[string] | undefined): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value as ArrayBuffer);

const digestOf = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
