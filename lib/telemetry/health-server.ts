import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FsError, type Log, type MetricFamily } from '../core/index.js';
import { PROMETHEUS_TYPE, prometheusText } from './prometheus-text.js';

export interface HealthSource {
  /** Null when it serves; else why it does not, in a few words that name nothing. */
  readonly notReady: () => string | null;
  /** `named`: with what names services, which is for who has the token. */
  readonly metrics: (named: boolean) => readonly MetricFamily[];
}

export interface HealthServer {
  /** `http://HOST:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

export interface HealthServerOptions {
  readonly host: string;
  readonly port: number;
  /** Whoever brings it sees metrics that name services. Null: nobody does. */
  readonly token: string | null;
  readonly log: Log;
}

const HEADER_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/**
 * Answers `/livez`, `/readyz`, `/healthz` and `/metrics` as a control plane does. It takes GET alone, and nothing that it
 * is sent.
 * @throws FsError EBUSY when the port is taken, EACCES when it may not be used
 */
export async function healthServer(
  options: HealthServerOptions,
  source: HealthSource,
): Promise<HealthServer> {
  const server = createServer({
    headersTimeout: HEADER_TIMEOUT_MS,
    requestTimeout: HEADER_TIMEOUT_MS,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16 * 1024,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => {
    try {
      answer(options, source, request, response);
    } catch (thrown) {
      options.log.error('A page could not be answered.', { error: FsError.from(thrown).message });
      if (response.headersSent) response.destroy();
      else respond(response, 500, 'It failed.\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFailure(error, options)));
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(
  { token }: HealthServerOptions,
  source: HealthSource,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return respond(response, 405, 'Only GET.\n', { allow: 'GET, HEAD' });
  switch ((request.url ?? '/').split('?', 1)[0]) {
    case '/livez':
      return respond(response, 200, 'ok\n');
    case '/readyz':
    case '/healthz': {
      const why = source.notReady();
      return respond(response, why === null ? 200 : 503, `${why ?? 'ok'}\n`);
    }
    case '/metrics': {
      const given = request.headers.authorization;
      if (given !== undefined && !isToken(given, token))
        return respond(response, 401, 'The token is not valid.\n', { 'www-authenticate': 'Bearer' });
      const text = prometheusText(source.metrics(given !== undefined));
      return respond(response, 200, text, { 'content-type': PROMETHEUS_TYPE });
    }
    default:
      return respond(response, 404, 'There is nothing here.\n');
  }
}

function isToken(header: string, token: string | null): boolean {
  const given = /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(header)?.[1];
  if (given === undefined || token === null) return false;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function respond(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function listenFailure(
  error: NodeJS.ErrnoException,
  { host, port }: Pick<HealthServerOptions, 'host' | 'port'>,
): FsError {
  if (error.code === 'EADDRINUSE')
    return new FsError('EBUSY', `Port ${port} on ${host} is taken.`, {
      hint: 'Give another one with --listen-metrics; 0 picks one.',
      cause: error,
    });
  return FsError.from(error);
}
