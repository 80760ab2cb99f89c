import { Emitter, FsError, type Clock } from '../../core/index.js';
import type { Role } from '../../policy/index.js';
import type { ControlDatabase, Row } from './database.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';
import { hashFromSecret, newPublicId, newSecret, secretMatches } from './secrets.js';

/** What may be known of a token; never the token. */
export interface TokenRecord {
  readonly tokenId: string;
  readonly role: Role;
  readonly agentId: string | null;
  /** The projects it may attach to; null: any. */
  readonly projects: readonly string[] | null;
  readonly label: string | null;
  /** The file that first start wrote it to. */
  readonly file: string | null;
  readonly createdAtMs: number;
  readonly rotatedAtMs: number | null;
  readonly revokedAtMs: number | null;
}

export interface NewToken {
  readonly role: Role;
  readonly agentId?: string | null;
  readonly projects?: readonly string[] | null;
  readonly label?: string | null;
  readonly file?: string | null;
}

/** Bearer tokens: shown once, kept as hashes. */
export class Tokens implements Derived {
  /** The id of a token that was rotated or revoked. */
  readonly changed = new Emitter<string>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;

  constructor(db: ControlDatabase, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Tells of what another replica rotated or revoked. */
  applied(rows: AppliedRows): void {
    for (const { key, before } of rows.of('tokens'))
      if (before !== undefined) this.#db.afterChange(() => this.changed.emit(key[0] as string));
  }

  create(wanted: NewToken): { record: TokenRecord; token: string } {
    const tokenId = newPublicId(6);
    const secret = newSecret();
    this.#db.change(() =>
      this.#db.run(
        'INSERT INTO tokens (token_id, hash, role, agent_id, projects, label, file, created_at_ms) VALUES (?,?,?,?,?,?,?,?)',
        tokenId,
        hashFromSecret(secret),
        wanted.role,
        wanted.agentId ?? null,
        wanted.projects == null ? null : JSON.stringify(wanted.projects),
        wanted.label ?? null,
        wanted.file ?? null,
        this.#clock.now(),
      ),
    );
    return { record: this.require(tokenId), token: tokenText(wanted.role, tokenId, secret) };
  }

  /** The live token that this text is, or undefined. Takes the same time for a wrong secret and an unknown id. */
  verify(text: string): { record: TokenRecord; hash: Buffer } | undefined {
    const parts = /^acheron_(?:admin|user)_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/.exec(text);
    const row = this.#db.get('SELECT * FROM tokens WHERE token_id = ?', parts?.[1] ?? '');
    const hash = row?.['hash'] as Buffer | undefined;
    const matches = secretMatches(parts?.[2] ?? '', hash);
    if (!matches || row === undefined || hash === undefined || row['revoked_at_ms'] !== null)
      return undefined;
    return { record: recordFromRow(row), hash };
  }

  /** @throws FsError ENOENT */
  require(tokenId: string): TokenRecord {
    const record = this.get(tokenId);
    if (record === undefined) throw noSuchToken(tokenId);
    return record;
  }

  get(tokenId: string): TokenRecord | undefined {
    const row = this.#db.get('SELECT * FROM tokens WHERE token_id = ?', tokenId);
    return row && recordFromRow(row);
  }

  /** The hash that a session must have been opened with to be alive; undefined when revoked or unknown. */
  liveHash(tokenId: string): Buffer | undefined {
    const row = this.#db.get('SELECT hash FROM tokens WHERE token_id = ? AND revoked_at_ms IS NULL', tokenId);
    return row?.['hash'] as Buffer | undefined;
  }

  list(): TokenRecord[] {
    return this.#db.all('SELECT * FROM tokens ORDER BY created_at_ms, token_id').map(recordFromRow);
  }

  /** A new secret for the same token. Sessions that were opened with the old one end. */
  rotate(tokenId: string): { record: TokenRecord; token: string } {
    const record = this.#live(tokenId);
    const secret = newSecret();
    this.#db.change(() => {
      this.#db.run(
        'UPDATE tokens SET hash = ?, rotated_at_ms = ? WHERE token_id = ?',
        hashFromSecret(secret),
        this.#clock.now(),
        tokenId,
      );
      this.#db.afterChange(() => this.changed.emit(tokenId));
    });
    return { record: this.require(tokenId), token: tokenText(record.role, tokenId, secret) };
  }

  /** @throws FsError ENOENT when it is unknown or revoked, EPERM when it is the last admin token. */
  revoke(tokenId: string): TokenRecord {
    const record = this.#live(tokenId);
    const others = this.list().filter(
      (other) => other.role === 'admin' && other.revokedAtMs === null && other.tokenId !== tokenId,
    );
    if (record.role === 'admin' && others.length === 0) {
      throw new FsError('EPERM', 'This is the last admin token.', {
        hint: 'Create another before you revoke it.',
      });
    }
    this.#db.change(() => {
      this.#db.run('UPDATE tokens SET revoked_at_ms = ? WHERE token_id = ?', this.#clock.now(), tokenId);
      this.#db.afterChange(() => this.changed.emit(tokenId));
    });
    return this.require(tokenId);
  }

  #live(tokenId: string): TokenRecord {
    const record = this.require(tokenId);
    if (record.revokedAtMs !== null) throw noSuchToken(tokenId);
    return record;
  }
}

function noSuchToken(tokenId: string): FsError {
  return new FsError('ENOENT', `There is no token "${tokenId}".`, { hint: 'See `acheron token list`.' });
}

function tokenText(role: Role, tokenId: string, secret: string): string {
  return `acheron_${role}_${tokenId}_${secret}`;
}

function recordFromRow(row: Row): TokenRecord {
  const projects = row['projects'] as string | null;
  return {
    tokenId: row['token_id'] as string,
    role: row['role'] as Role,
    agentId: row['agent_id'] as string | null,
    projects: projects === null ? null : (JSON.parse(projects) as string[]),
    label: row['label'] as string | null,
    file: row['file'] as string | null,
    createdAtMs: row['created_at_ms'] as number,
    rotatedAtMs: row['rotated_at_ms'] as number | null,
    revokedAtMs: row['revoked_at_ms'] as number | null,
  };
}
