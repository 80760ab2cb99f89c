import type { Role } from '../../policy/index.js';
import { hashFromSecret, newSecret, secretMatches } from './secrets.js';
import type { SessionRecord, Sessions } from './sessions.js';
import type { TokenRecord, Tokens } from './tokens.js';

/** On whose behalf a console is opened. */
export interface ConsoleAsker {
  readonly tokenId: string;
  /** The session that asks: the console's is attached to the same project. Null: none does. */
  readonly sessionId: string | null;
  /** The most that the console may be. */
  readonly maxRole: Role;
}

/** What the secret of a console proves: this one session of the token, and no other. */
export interface ConsoleProof {
  readonly record: TokenRecord;
  readonly hash: Buffer;
  readonly sessionId: string;
}

const PATTERN = /^acheron_console_([0-9a-f]{24})_([A-Za-z0-9_-]{43})$/;

/** Sessions of web consoles. Each has a secret of its own, of which a hash is kept; it opens that session alone. */
export class ConsoleSessions {
  readonly #sessions: Sessions;
  readonly #tokens: Tokens;

  constructor(sessions: Sessions, tokens: Tokens) {
    this.#sessions = sessions;
    this.#tokens = tokens;
  }

  /** Begins a session with the rights of who asked; undefined where they have ended since. */
  open({ tokenId, sessionId, maxRole }: ConsoleAsker): { record: SessionRecord; secret: string } | undefined {
    const token = this.#tokens.get(tokenId);
    const hash = this.#tokens.liveHash(tokenId);
    if (token === undefined || hash === undefined) return undefined;
    const asker = sessionId === null ? undefined : this.#sessions.snapshot(sessionId);
    if (asker?.revoked === true) return undefined;
    const secret = newSecret();
    const record = this.#sessions.create(token, hash, {
      secretHash: hashFromSecret(secret),
      maxRole: asker?.role === 'user' ? 'user' : maxRole,
      ...(sessionId === null ? {} : { like: sessionId }),
    });
    return { record, secret: `acheron_console_${record.sessionId.slice('s-'.length)}_${secret}` };
  }

  /** What this text proves, or undefined. Takes the same time for a wrong secret and an unknown session. */
  verify(text: string): ConsoleProof | undefined {
    const [, id, secret] = PATTERN.exec(text) ?? [];
    const sessionId = `s-${id ?? ''}`;
    const matches = secretMatches(secret ?? '', this.#sessions.secretHash(sessionId));
    const session = this.#sessions.get(sessionId);
    if (!matches || session === undefined) return undefined;
    const hash = this.#tokens.liveHash(session.tokenId);
    return hash && { record: this.#tokens.require(session.tokenId), hash, sessionId };
  }
}
