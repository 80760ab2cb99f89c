import { createHmac, timingSafeEqual } from 'node:crypto';
import { chain, type Awaitable } from '../../vfs/index.js';
import type { ControlStore } from '../store/store.js';
import type { Credential } from './credential.js';
import type { LiveSession } from '../store/sessions.js';

const PATTERN = /^acheron_files_(s-[0-9a-f]{24})_([A-Za-z0-9_-]{43})$/;
/** Projects for which one token's files sessions are remembered. */
const MAX_OF_A_TOKEN = 256;

/** On whose behalf files are to be opened. */
export interface FilesAsker {
  readonly session: LiveSession;
  readonly credential: Credential;
  /** Whether the session has a name that its client gave it. */
  readonly isNamed: boolean;
}

/**
 * Sessions whose files are opened with a text of their own, by programs that mount what a project says. The text opens this
 * one session, its files alone, as long as the session is open and its token good; it is made from the session's id and our
 * key, so that a session is always answered the same one.
 */
export class FilesSessions {
  readonly #store: ControlStore;
  readonly #key: Buffer;
  /** By token, then by project and proof: the session that serves those who keep none of their own. */
  readonly #shared = new Map<string, Map<string, string>>();

  constructor(store: ControlStore) {
    this.#store = store;
    this.#key = createHmac('sha256', store.keys.cursor).update('files sessions').digest();
  }

  /** The text that opens the session's files. */
  textFor(sessionId: string): string {
    return `acheron_files_${sessionId}_${this.#mark(sessionId)}`;
  }

  /** What this text proves, or undefined; the same time for a wrong text and an unknown session. */
  verify(text: string): NonNullable<Credential> | undefined {
    const [, sessionId = '', mark = ''] = PATTERN.exec(text) ?? [];
    const own = Buffer.from(this.#mark(sessionId));
    const given = Buffer.from(mark.padEnd(own.length, ' ').slice(0, own.length));
    const session = this.#store.sessions.get(sessionId);
    if (!timingSafeEqual(own, given) || session === undefined) return undefined;
    if (this.#store.sessions.snapshot(sessionId).revoked) return undefined;
    const hash = this.#store.tokens.liveHash(session.tokenId);
    return hash && { record: this.#store.tokens.require(session.tokenId), hash, sessionId };
  }

  /**
   * The session that is to show the project to who asks: the own one, where it was attached to the project; else one of the
   * token that all connections share which ask for this project with the same proof.
   * @throws FsError as `Sessions.attach`
   */
  forProject(
    { session, credential, isNamed }: FilesAsker,
    projectId: string,
    projectToken: string | null,
  ): Awaitable<string> {
    const { sessions, tokens, projects } = this.#store;
    const own = session.current.project;
    const isAutomatic = tokens.get(session.tokenId)?.projects?.length === 1 && !isNamed;
    const isProved = projectToken === null || own?.verified === true;
    if (own?.id === projectId && isProved && (!isAutomatic || credential?.sessionId !== undefined))
      return session.id;
    if (credential === undefined || credential.sessionId !== undefined) {
      const attached = this.#store.act(() => sessions.attach(session.id, projectId, projectToken));
      return chain(attached, () => session.id);
    }
    const ofToken = this.#shared.get(session.tokenId) ?? new Map<string, string>();
    const isVerified = projectToken !== null || (own?.id === projectId && own.verified);
    // A wrong project token never gets to the session of those who had the right one.
    if (projectToken === null || projects.proofFrom(projectId, projectToken) !== undefined) {
      const known = ofToken.get(`${String(isVerified)} ${projectId}`);
      const current = known === undefined ? undefined : sessions.snapshot(known);
      const isGood =
        current?.revoked === false &&
        current.project?.id === projectId &&
        current.project.verified === isVerified &&
        current.role === session.current.role;
      if (known !== undefined && isGood) return known;
    }
    const made = this.#store.act(() => {
      const { sessionId } = sessions.create(credential.record, credential.hash, {
        maxRole: session.current.role,
        ...(own?.id === projectId ? { like: session.id } : {}),
      });
      if (projectToken !== null || own?.id !== projectId) sessions.attach(sessionId, projectId, projectToken);
      return sessionId;
    });
    return chain(made, (sessionId) => {
      this.#shared.set(session.tokenId, ofToken.set(`${String(isVerified)} ${projectId}`, sessionId));
      const [oldest] = ofToken.keys();
      if (ofToken.size > MAX_OF_A_TOKEN && oldest !== undefined) ofToken.delete(oldest);
      return sessionId;
    });
  }

  #mark(sessionId: string): string {
    return createHmac('sha256', this.#key).update(sessionId).digest('base64url');
  }
}
