import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject } from '../../core/index.js';
import { chain, type Awaitable } from '../../vfs/index.js';
import { CONSOLE_PATH } from '../client/console-address.js';
import { refuseLogin, respond } from './http-pages.js';
import type { Credential } from './credential.js';
import type { ServerContext } from './server-context.js';

/** The files of the web console, which the composition root knows. */
export interface ConsolePages {
  /** Answers a GET or HEAD of what stands behind `/console/`. */
  answer(name: string, request: IncomingMessage, response: ServerResponse): void;
}

/** The two WebSockets, for pages of the console. */
export const CONSOLE_SOCKETS: ReadonlyMap<string, '/' | '/v2/fs'> = new Map([
  [`${CONSOLE_PATH}control`, '/'],
  [`${CONSOLE_PATH}fs`, '/v2/fs'],
]);

/** Where a page exchanges the code of its link for a session. */
const SESSION_PATH = `${CONSOLE_PATH}session`;
const MAX_BODY_BYTES = 1024;

export const isConsolePath = (path: string): boolean =>
  path === CONSOLE_PATH.slice(0, -1) || path.startsWith(CONSOLE_PATH);

/** Whether only a page of the console makes such a request. */
export const isPageRequest = (path: string): boolean => path === SESSION_PATH || CONSOLE_SOCKETS.has(path);

/** Answers what is asked of `/console/`; where there is no console, as any unknown path. */
export async function answerConsole(
  context: ServerContext,
  pages: ConsolePages | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (pages === undefined) {
    respond(response, 404, 'text/plain', 'There is nothing here.\n');
    return;
  }
  if (path === SESSION_PATH) {
    await openSession(context, request, response);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    respond(response, 405, 'text/plain', 'Only GET.\n', { allow: 'GET, HEAD' });
    return;
  }
  if (CONSOLE_SOCKETS.has(path)) {
    respond(response, 426, 'text/plain', 'This is a WebSocket.\n', {
      upgrade: 'websocket',
      connection: 'Upgrade',
    });
    return;
  }
  if (!path.startsWith(CONSOLE_PATH)) {
    respond(response, 308, 'text/plain', `It is at ${CONSOLE_PATH}.\n`, { location: CONSOLE_PATH });
    return;
  }
  pages.answer(path.slice(CONSOLE_PATH.length), request, response);
}

/**
 * The session whose secret a page gave as a WebSocket subprotocol, which is the one header that a page can set: it
 * stands in no address, and so in no log. Null: there is none that is good.
 */
export function consoleCredential(
  { store }: ServerContext,
  request: IncomingMessage,
): Awaitable<Credential | null> {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim());
  const [first, secret, ...more] = offered;
  if (first !== 'acheron' || secret === undefined || more.length > 0) return null;
  return chain(
    store.findAnywhere(() => store.consoles.verify(secret)),
    (found) => found ?? null,
  );
}

/** `{"code"}` of a link becomes `{"session", "secret"}`, once. */
async function openSession(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json') {
    respond(response, 405, 'text/plain', 'Only POST, of JSON.\n', { allow: 'POST' });
    return;
  }
  const code = await codeIn(request);
  const { store } = context;
  const opened =
    code === undefined
      ? undefined
      : await store.actLightly(() => {
          const asker = store.consoleLinks.take(code);
          return asker && store.consoles.open(asker);
        });
  if (opened !== undefined) {
    const { record, secret } = opened;
    const body = `${JSON.stringify({ session: record.sessionId, secret })}\n`;
    respond(response, 200, 'application/json', body);
    return;
  }
  const text = 'The link was used, or is too old.\n';
  await refuseLogin(context, request, response, { reason: 'bad_console_code', text });
}

async function codeIn(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString());
    return isJsonObject(value) && typeof value['code'] === 'string' ? value['code'] : undefined;
  } catch {
    // No JSON is no code.
    return undefined;
  }
}
