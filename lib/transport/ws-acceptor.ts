import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE_TIMEOUT, WsTransport, type Keepalive } from './ws-transport.js';
import { WebSocketServer } from './ws.js';

export interface WsAcceptorOptions {
  /** A message above this is not read: the connection is closed with 1009. */
  readonly maxMessageBytes: number;
  readonly keepalive?: Keepalive;
}

/** RFC 6455, 1.3: what a server adds to the client's key before it hashes the two. */
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** RFC 6455, 4.1: 16 bytes in base64. */
const PROPER_KEY = /^[+/0-9A-Za-z]{22}==$/;
/** What we take from programs: base64 of some bytes. */
const KEY = /^[+/0-9A-Za-z]{8,64}={0,2}$/;
/** Stands for a key that the library would refuse, until the answer is written. */
const STAND_IN_KEY = `${'A'.repeat(22)}==`;

/** Turns HTTP upgrades that somebody has let through (path, origin, token) into transports. */
export class WsAcceptor {
  readonly #server: WebSocketServer;
  readonly #keepalive: Keepalive | undefined;
  /** The keys that programs sent, of upgrades under way, where they are no proper ones. */
  readonly #keys = new WeakMap<IncomingMessage, string>();

  constructor({ maxMessageBytes, keepalive }: WsAcceptorOptions) {
    this.#keepalive = keepalive;
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      clientTracking: false,
      ...CLOSE_TIMEOUT,
    });
    this.#server.on('headers', (headers, request) => {
      const key = this.#keys.get(request);
      const at = headers.findIndex((line) => line.startsWith('Sec-WebSocket-Accept:'));
      if (key !== undefined && at >= 0) headers[at] = `Sec-WebSocket-Accept: ${acceptFor(key)}`;
    });
  }

  /** Completes the upgrade; a request that is no WebSocket handshake is answered with 400 and never calls back. */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onTransport: (transport: WsTransport) => void,
  ): void {
    this.#excuseKey(request);
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      onTransport(new WsTransport(webSocket, socket, this.#keepalive)),
    );
  }

  /** Whether the upgrade came with a key that only a program of the family sends. */
  isExcused(request: IncomingMessage): boolean {
    return this.#keys.has(request);
  }

  /**
   * Programs of the family send a key that is constant and not 16 bytes long. It is there to keep caches of the web from
   * answering, and nothing else depends on it; browsers, which send an origin, keep to the rule.
   */
  #excuseKey(request: IncomingMessage): void {
    const key = request.headers['sec-websocket-key'];
    if (key === undefined || request.headers.origin !== undefined) return;
    if (PROPER_KEY.test(key) || !KEY.test(key)) return;
    this.#keys.set(request, key);
    request.headers['sec-websocket-key'] = STAND_IN_KEY;
  }
}

const acceptFor = (key: string): string => createHash('sha1').update(`${key}${KEY_SUFFIX}`).digest('base64');
