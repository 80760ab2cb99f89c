import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plane } from './plane.js';

/** The token of `Authorization: Bearer`, and nothing from anywhere else; `null` for a header that is no such thing. */
export function bearerOf(request: IncomingMessage): string | null | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  return /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(header)?.[1] ?? null;
}

/** Answers `/livez /readyz /metrics /metrics.json`. */
export async function answerPage(
  plane: Plane,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    respond(response, 405, 'text/plain', 'Only GET.\n', { allow: 'GET, HEAD' });
    return;
  }
  switch (path) {
    case '/livez':
      respond(response, 200, 'text/plain', 'ok\n');
      return;
    case '/readyz': {
      const ready = isReady(plane);
      respond(response, ready ? 200 : 503, 'text/plain', ready ? 'ok\n' : 'the database does not answer\n');
      return;
    }
    case '/metrics': {
      const { contentType, body } = await plane.metrics.text(isAdmin(plane, request));
      respond(response, 200, contentType, body);
      return;
    }
    case '/metrics.json':
      respond(
        response,
        200,
        'application/json',
        `${JSON.stringify(await plane.metrics.json(isAdmin(plane, request)), null, 2)}\n`,
      );
      return;
    case '/':
    case '/v2/fs':
      respond(response, 426, 'text/plain', 'This is a WebSocket.\n', {
        upgrade: 'websocket',
        connection: 'Upgrade',
      });
      return;
    default:
      respond(response, 404, 'text/plain', 'There is nothing here.\n');
  }
}

function isReady(plane: Plane): boolean {
  try {
    return plane.store.events.head >= 0 && plane.store.events.oldest >= 0;
  } catch (thrown) {
    plane.log.error('the database does not answer', { error: thrown });
    return false;
  }
}

function isAdmin(plane: Plane, request: IncomingMessage): boolean {
  const token = bearerOf(request);
  if (token === undefined) return false;
  const found = token === null ? undefined : plane.store.tokens.verify(token);
  if (found === undefined) {
    const address = request.socket.remoteAddress ?? 'unknown';
    plane.refusals.note({ act: 'login', address, reason: 'bad_token' });
  }
  return found?.record.role === 'admin';
}

export function respond(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
