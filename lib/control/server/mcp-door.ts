import type { IncomingMessage, ServerResponse } from 'node:http';
import { FsError } from '../../core/index.js';
import type { LiveSession } from '../store/sessions.js';
import { bearerOf, refuseLogin, respond } from './http-pages.js';
import type { ServerContext } from './server-context.js';
import { farEndOf } from './strangers.js';

/** Who speaks to `/mcp`. */
export interface McpCaller {
  /** The same for requests that have the same session. */
  readonly key: string;
  /** Uses the session: it is released when `release` is called. @throws FsError ENOENT, EACCES for the project */
  readonly begin: () => Promise<McpUse>;
}

export interface McpUse {
  readonly session: LiveSession;
  readonly release: () => void;
}

/** What answers at `/mcp`, which the composition root knows. */
export interface McpPages {
  answer(caller: McpCaller, request: IncomingMessage, response: ServerResponse): Promise<void>;
}

export const MCP_PATH = '/mcp';

/** Requests at a time with one token; a stream that stays open is one. */
const MAX_REQUESTS_OF_A_TOKEN = 256;

/** Lets those with a token in, each with a session for its project. */
export class McpDoor {
  readonly #context: ServerContext;
  readonly #pages: McpPages;
  readonly #byToken = new Map<string, number>();

  constructor(context: ServerContext, pages: McpPages) {
    this.#context = context;
    this.#pages = pages;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { store, strangers } = this.#context;
    const token = bearerOf(request);
    const found = token == null ? undefined : await store.findAnywhere(() => store.tokens.verify(token));
    if (found === undefined) {
      await refuseLogin(this.#context, request, response, {
        reason: 'bad_token',
        text: 'A valid token is needed: Authorization: Bearer TOKEN\n',
        headers: { 'www-authenticate': 'Bearer' },
      });
      return;
    }
    strangers.know(farEndOf(request.socket));
    const { record, hash } = found;
    const own = this.#byToken.get(record.tokenId) ?? 0;
    if (own >= MAX_REQUESTS_OF_A_TOKEN) {
      respond(response, 429, 'text/plain', 'Too many requests at a time with this token.\n', {
        'retry-after': '1',
      });
      return;
    }
    this.#byToken.set(record.tokenId, own + 1);
    response.once('close', () => this.#leave(record.tokenId));
    const project = headerOf(request, 'acheron-project');
    const proof = headerOf(request, 'acheron-project-token');
    const caller: McpCaller = {
      key: JSON.stringify([record.tokenId, hash.toString('base64'), project, proof]),
      begin: async () => {
        const session = await store.actLightly(() => store.sessions.create(record, hash));
        const used = store.sessions.use(session.sessionId);
        const release = (): void => store.sessions.release(used);
        try {
          if (project !== null)
            await store.act(() => store.sessions.attach(session.sessionId, project, proof));
        } catch (thrown) {
          release();
          await store.act(() => store.sessions.close(session.sessionId));
          throw thrown;
        }
        return { session: used, release };
      },
    };
    try {
      await this.#pages.answer(caller, request, response);
    } catch (thrown) {
      const { code, message } = FsError.from(thrown);
      // Not 404: by that a client understands that its session has ended, or tries the transport before this one.
      const status = new Map([
        ['ENOENT', 403],
        ['EACCES', 403],
        ['EBUSY', 429],
      ]).get(code);
      if (status === undefined || response.headersSent) throw thrown;
      respond(response, status, 'text/plain', `${message}\n`);
    }
  }

  #leave(tokenId: string): void {
    const left = (this.#byToken.get(tokenId) ?? 0) - 1;
    if (left <= 0) this.#byToken.delete(tokenId);
    else this.#byToken.set(tokenId, left);
  }
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}
