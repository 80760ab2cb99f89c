import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerContext } from './server-context.js';

/** The token of `Authorization: Bearer`, and nothing from anywhere else; `null` for a header that is no such thing. */
export function bearerOf(request: IncomingMessage): string | null | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  return /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(header)?.[1] ?? null;
}

/** Answers `/livez /readyz /healthz /metrics /metrics.json`. */
export async function answerPage(
  context: ServerContext,
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
    case '/readyz':
    case '/healthz': {
      const ready = isReady(context);
      respond(response, ready ? 200 : 503, 'text/plain', ready ? 'ok\n' : 'the database does not answer\n');
      return;
    }
    case '/metrics':
    case '/metrics.json': {
      const isAdmin = await asksAdmin(context, request, response);
      if (isAdmin === undefined) return;
      const { contentType, body } =
        path === '/metrics'
          ? await context.metrics.text(isAdmin)
          : {
              contentType: 'application/json',
              body: `${JSON.stringify(await context.metrics.json(isAdmin), null, 2)}\n`,
            };
      respond(response, 200, contentType, body);
      return;
    }
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

function isReady(context: ServerContext): boolean {
  try {
    return context.store.events.head >= 0 && context.store.events.oldest >= 0;
  } catch (thrown) {
    context.log.error('the database does not answer', { error: thrown });
    return false;
  }
}

/**
 * Whether an admin asks; a user, or nobody in particular, may see what names nothing. Undefined for a token
 * that is not good: that has been answered 401, each later than the one before.
 */
async function asksAdmin(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean | undefined> {
  const token = bearerOf(request);
  if (token === undefined) return false;
  const found = token === null ? undefined : context.store.tokens.verify(token);
  if (found !== undefined) return found.record.role === 'admin';
  const address = request.socket.remoteAddress ?? 'unknown';
  context.authFailures.note({ act: 'login', address, reason: 'bad_token' });
  const status = await new Promise<number>((resolve) => {
    context.throttle.failed(
      address,
      () => resolve(401),
      () => resolve(429),
    );
  });
  const text = status === 401 ? 'The token is not valid.\n' : 'Too many failed logins.\n';
  respond(response, status, 'text/plain', text, status === 401 ? { 'www-authenticate': 'Bearer' } : {});
  return undefined;
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
