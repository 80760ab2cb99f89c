import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler, type NodeMcpRequestHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest, type McpHttpHandler } from '@modelcontextprotocol/server';
import { LegacySessions } from './legacy-sessions.js';
import type { McpSource } from './mcp-server.js';

/** What a request may be at most. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Streams of news at a time. */
const MAX_SUBSCRIPTIONS = 64;

/**
 * One source over HTTP, to all who have its session. Of the revision of 2026-07-28 each request is served by itself; those
 * before it have sessions.
 */
export class McpHttpEndpoint {
  readonly #modern: McpHttpHandler;
  readonly #legacy: LegacySessions;
  readonly #handle: NodeMcpRequestHandler;
  readonly #stopListening: () => void;
  #open = 0;
  #usedAtMs = Date.now();

  constructor(source: McpSource, onError: (error: Error) => void) {
    this.#legacy = new LegacySessions(source, MAX_BODY_BYTES, onError);
    this.#modern = createMcpHandler(({ era }) => source.serverFor({ era }), {
      legacy: 'reject',
      maxRequestBodySize: MAX_BODY_BYTES,
      maxSubscriptions: MAX_SUBSCRIPTIONS,
      onerror: onError,
    });
    const fetch = async (request: Request): Promise<Response> =>
      (await isLegacyRequest(request, undefined, { maxRequestBodySize: MAX_BODY_BYTES }))
        ? this.#legacy.answer(request)
        : this.#modern.fetch(request);
    this.#handle = toNodeHandler({ fetch }, { maxRequestBodySize: MAX_BODY_BYTES, onerror: onError });
    this.#stopListening = source.catalog.changed.on(() => {
      this.#modern.notify.toolsChanged();
      this.#legacy.tell();
    });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open++;
    try {
      await this.#handle(request, response);
    } finally {
      this.#open--;
      this.#usedAtMs = Date.now();
    }
  }

  /** Ends what was left alone for long, and says since when nobody has used it; undefined where somebody does. */
  idleSinceMs(): number | undefined {
    this.#legacy.sweep();
    return this.#open > 0 || this.#legacy.size > 0 ? undefined : this.#usedAtMs;
  }

  async close(): Promise<void> {
    this.#stopListening();
    await Promise.all([this.#modern.close(), this.#legacy.close()]);
  }
}
