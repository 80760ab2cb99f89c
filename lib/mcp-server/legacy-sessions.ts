import { randomUUID } from 'node:crypto';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { FsError } from '../core/index.js';
import type { McpSource } from './mcp-server.js';

/** Sessions at a time; the one that was quiet for longest makes room. */
const MAX_SESSIONS = 64;
/** One that nobody uses is kept for so long. */
const IDLE_MS = 30 * 60 * 1000;

interface LegacySession {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly tell: () => Promise<void>;
  readonly close: () => Promise<void>;
  usedAtMs: number;
  /** Answers that are being given, its stream of news among them. */
  open: number;
}

/**
 * Clients of the revisions before 2026-07-28, which begin with a session that is theirs until they end it, or leave it alone
 * for long. Whoever names one that is not there is told so, and begins anew.
 */
export class LegacySessions {
  readonly #source: McpSource;
  readonly #maxBodyBytes: number;
  readonly #onError: (error: Error) => void;
  readonly #sessions = new Map<string, LegacySession>();

  constructor(source: McpSource, maxBodyBytes: number, onError: (error: Error) => void) {
    this.#source = source;
    this.#maxBodyBytes = maxBodyBytes;
    this.#onError = onError;
  }

  get size(): number {
    return this.#sessions.size;
  }

  async answer(request: Request): Promise<Response> {
    const id = request.headers.get('mcp-session-id');
    if (id === null) return this.#begin(request);
    const session = this.#sessions.get(id);
    if (session === undefined)
      return Response.json(
        {
          jsonrpc: '2.0',
          error: { code: -32_001, message: 'There is no such session: begin anew.' },
          id: null,
        },
        { status: 404 },
      );
    return this.#within(session, request);
  }

  /** The list of tools is another one. */
  tell(): void {
    for (const { tell } of this.#sessions.values()) tell().catch(this.#onError);
  }

  /** Ends those that were left alone. */
  sweep(nowMs = Date.now()): void {
    for (const [id, { open, usedAtMs }] of this.#sessions)
      if (open === 0 && nowMs - usedAtMs > IDLE_MS) this.#end(id);
  }

  async close(): Promise<void> {
    const closing = [...this.#sessions.values()].map(({ close }) => close());
    this.#sessions.clear();
    await Promise.allSettled(closing);
  }

  async #begin(request: Request): Promise<Response> {
    this.#makeRoom();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      maxRequestBodySize: this.#maxBodyBytes,
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
      onsessionclosed: (id) => this.#end(id),
    });
    const server = this.#source.serverFor({ era: 'legacy' });
    server.server.onerror = this.#onError;
    const session: LegacySession = {
      transport,
      tell: () => server.server.sendToolListChanged(),
      close: () => server.close(),
      usedAtMs: Date.now(),
      open: 0,
    };
    await server.connect(transport);
    const response = await this.#within(session, request);
    // It began none.
    if (transport.sessionId === undefined) await server.close();
    return response;
  }

  async #within(session: LegacySession, request: Request): Promise<Response> {
    session.open++;
    const left = (): void => {
      session.open--;
      session.usedAtMs = Date.now();
    };
    try {
      const response = await session.transport.handleRequest(request);
      return whenRead(response, left);
    } catch (thrown) {
      left();
      throw thrown;
    }
  }

  /** @throws FsError EBUSY where all are in use */
  #makeRoom(): void {
    if (this.#sessions.size < MAX_SESSIONS) return;
    const idle = [...this.#sessions].filter(([, { open }]) => open === 0);
    const [oldest] = idle.sort(([, one], [, other]) => one.usedAtMs - other.usedAtMs);
    if (oldest === undefined) throw new FsError('EBUSY', 'Too many sessions with this token.');
    this.#end(oldest[0]);
  }

  #end(id: string): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    session?.close().catch(this.#onError);
  }
}

/** The same answer; `read` is called once all of it was read, or it is given up. */
function whenRead(response: Response, read: () => void): Response {
  if (response.body === null) {
    read();
    return response;
  }
  const reader = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let isOver = false;
  const over = (): void => {
    if (!isOver) read();
    isOver = true;
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await reader.next();
        if (next.done !== true) {
          controller.enqueue(next.value);
          return;
        }
        over();
        controller.close();
      } catch (thrown) {
        over();
        controller.error(thrown);
      }
    },
    cancel: async (reason) => {
      over();
      await reader.return?.(reason);
    },
  });
  const { status, headers } = response;
  return new Response(body, { status, headers });
}
