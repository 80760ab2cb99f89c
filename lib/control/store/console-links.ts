import { FsError, type Clock } from '../../core/index.js';
import type { Role } from '../../policy/index.js';
import type { ConsoleAsker } from './console-sessions.js';
import type { ControlDatabase } from './database.js';
import { hashFromSecret, newSecret } from './secrets.js';

const GOOD_FOR_MS = 60_000;
/** Of one token, at a time. */
const MAX_OF_A_TOKEN = 64;
const MAX_LINKS = 4096;

/** A code, as only its reader knows it, and until when it is good. */
export interface ConsoleCode {
  readonly code: string;
  readonly expiresAtMs: number;
}

/** Codes that open a console: each once, within a minute, at any replica. Hashes of them are kept. */
export class ConsoleLinks {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;

  constructor(db: ControlDatabase, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** @throws FsError EBUSY where too many wait to be used */
  create({ tokenId, sessionId, maxRole }: ConsoleAsker): ConsoleCode {
    const code = newSecret();
    const expiresAtMs = this.#clock.now() + GOOD_FOR_MS;
    this.#db.changeLightly(() => {
      this.#forgetOld();
      const { own, all } = this.#db.require(
        'SELECT COUNT(*) FILTER (WHERE token_id = ?) AS own, COUNT(*) AS "all" FROM console_links',
        tokenId,
      ) as { own: number; all: number };
      if (own >= MAX_OF_A_TOKEN || all >= MAX_LINKS)
        throw new FsError('EBUSY', 'Too many links to the console wait to be opened.', {
          hint: 'Open one of them, or wait for a minute.',
        });
      this.#db.run(
        'INSERT INTO console_links (hash, token_id, session_id, max_role, expires_at_ms) VALUES (?,?,?,?,?)',
        keyOf(code),
        tokenId,
        sessionId,
        maxRole,
        expiresAtMs,
      );
    });
    return { code, expiresAtMs };
  }

  /** Uses the code up; undefined where it is none, was used, or is too old. */
  take(code: string): ConsoleAsker | undefined {
    return this.#db.changeLightly(() => {
      this.#forgetOld();
      const row = this.#db.get(
        'DELETE FROM console_links WHERE hash = ? RETURNING token_id, session_id, max_role',
        keyOf(code),
      );
      return (
        row && {
          tokenId: row['token_id'] as string,
          sessionId: row['session_id'] as string | null,
          maxRole: row['max_role'] as Role,
        }
      );
    });
  }

  #forgetOld(): void {
    this.#db.run('DELETE FROM console_links WHERE expires_at_ms <= ?', this.#clock.now());
  }
}

/** Looking up a hash gives away nothing of the code by the time that it takes. */
const keyOf = (code: string): string => hashFromSecret(code).toString('base64url');
