import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { JsonObject } from '../../lib/core/index.js';

/** A request as a server of a test got it. */
export interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export type Answer = (got: Got, response: ServerResponse) => unknown;

export interface TestServer {
  readonly origin: string;
  readonly port: number;
  /** All that came, in order. */
  readonly got: readonly Got[];
  /** How many connections were made. */
  connections(): number;
  close(): Promise<void>;
}

/** A server on a port of its own of 127.0.0.1, gone with the test. */
export async function httpServer(
  t: { teardown(callback: () => unknown): void },
  answer: Answer,
  tls?: ServerOptions,
): Promise<TestServer> {
  const got: Got[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = '', url = '', headers, rawHeaders } = request;
      const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks) };
      got.push(one);
      await answer(one, response);
    })().catch(() => response.destroy());
  };
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  t.teardown(close);
  const scheme = tls === undefined ? 'http' : 'https';
  return { origin: `${scheme}://127.0.0.1:${port}`, port, got, connections: () => connections, close };
}

export function json(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

/** Does what test/fixtures/drivers/many.py does, over HTTP: asked by `{"request", "call"}`. */
export function many({ body }: Got, response: ServerResponse): void {
  const text = body.toString();
  const { request, call } = JSON.parse(text) as { request: JsonObject & { do?: string }; call: JsonObject };
  switch (request.do ?? 'echo') {
    case 'echo':
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(request));
    case 'context':
      return json(response, call);
    case 'empty':
      return void response.writeHead(204).end();
    case 'fail':
      return void response.writeHead(500).end('it went wrong');
    case 'exit':
      return void response.writeHead(500).end(`it exited with ${request['status'] as number}`);
    case 'sleep':
      return void setTimeout(() => json(response, { slept: request['ms'] }), request['ms'] as number);
    case 'hang':
    case 'stubborn':
      return void response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write('"hanging"\n');
    case 'flood':
      return json(response, 'x'.repeat(request['bytes'] as number));
    case 'garbage':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('this is not JSON');
    default:
      return json(response, { unknown: request.do });
  }
}
