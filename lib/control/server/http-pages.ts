import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuthFailure } from './auth-failure-log.js';
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
      const fault = faultOf(context) ?? (path === '/readyz' ? context.drain.reason : null);
      respond(response, fault === null ? 200 : 503, 'text/plain', `${fault ?? 'ok'}\n`);
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

/** Why it is not ready; undefined where it is. */
function faultOf({ store, log }: ServerContext): string | undefined {
  if (store.replicas?.membership.isServing() === false)
    return 'this replica has lost touch with its store, or is behind';
  try {
    if (store.events.head >= 0 && store.events.oldest >= 0) return undefined;
  } catch (thrown) {
    log.error('the database does not answer', { error: thrown });
  }
  return 'the database does not answer';
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
  const { store } = context;
  const found = token === null ? undefined : await store.findAnywhere(() => store.tokens.verify(token));
  if (found !== undefined) return found.record.role === 'admin';
  await refuseLogin(context, request, response, {
    reason: 'bad_token',
    text: 'The token is not valid.\n',
    headers: { 'www-authenticate': 'Bearer' },
  });
  return undefined;
}

/** Answers a login that failed, each of an address later than the one before: 401 with `text`, or 429. */
export async function refuseLogin(
  { authFailures, throttle }: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  {
    reason,
    text,
    headers,
  }: { reason: AuthFailure['reason']; text: string; headers?: Record<string, string> },
): Promise<void> {
  const address = request.socket.remoteAddress ?? 'unknown';
  authFailures.note({ act: 'login', address, reason });
  await new Promise<void>((resolve) => {
    const answer = (...answered: [number, string, Record<string, string>?]): void => {
      const [status, body, more] = answered;
      respond(response, status, 'text/plain', body, more);
      resolve();
    };
    throttle.failed(
      address,
      () => answer(401, text, headers),
      () => answer(429, 'Too many failed logins.\n'),
    );
  });
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
