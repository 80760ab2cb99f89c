import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectWs, WsAcceptor, type Keepalive, type Transport } from '../../lib/transport/index.js';

export interface WsListener {
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** A WebSocket server on a free port of 127.0.0.1. */
export async function listenWs(
  onTransport: (transport: Transport) => void,
  maxMessageBytes = 16 * 1024 * 1024,
  keepalive?: Keepalive,
): Promise<WsListener> {
  const acceptor = new WsAcceptor({ maxMessageBytes, keepalive });
  const server = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => acceptor.accept(request, socket, head, onTransport));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

export interface Pair {
  readonly client: Transport;
  readonly server: Transport;
  close(): Promise<void>;
}

/** Both ends of a real WebSocket connection. */
export async function wsPair(maxMessageBytes = 16 * 1024 * 1024, plainMask = false): Promise<Pair> {
  let take: (transport: Transport) => void = () => undefined;
  const accepted = new Promise<Transport>((resolve) => (take = resolve));
  const listener = await listenWs((transport) => take(transport), maxMessageBytes);
  const client = await connectWs(listener.url, { maxMessageBytes, plainMask });
  const server = await accepted;
  return {
    client,
    server,
    close: async () => {
      client.destroy();
      server.destroy();
      await listener.close();
    },
  };
}
