import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE_TIMEOUT, WsTransport, type Keepalive } from './ws-transport.js';
import { WebSocketServer } from './ws.js';

export interface WsAcceptorOptions {
  /** A message above this is not read: the connection is closed with 1009. */
  readonly maxMessageBytes: number;
  readonly keepalive?: Keepalive;
}

/** Turns HTTP upgrades that somebody has let through (path, origin, token) into transports. */
export class WsAcceptor {
  readonly #server: WebSocketServer;
  readonly #keepalive: Keepalive | undefined;

  constructor({ maxMessageBytes, keepalive }: WsAcceptorOptions) {
    this.#keepalive = keepalive;
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      clientTracking: false,
      ...CLOSE_TIMEOUT,
    });
  }

  /** Completes the upgrade; a request that is no WebSocket handshake is answered with 400 and never calls back. */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onTransport: (transport: WsTransport) => void,
  ): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      onTransport(new WsTransport(webSocket, socket, this.#keepalive)),
    );
  }
}
