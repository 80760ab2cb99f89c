import type { IncomingMessage } from 'node:http';
import type { ClientOptions } from 'ws';
import { FsError, reasonOf } from '../core/index.js';
import { CLOSE_TIMEOUT, WsTransport, type Keepalive } from './ws-transport.js';
import { WebSocket } from './ws.js';

/** Of a longer reason nothing is shown. */
const MAX_SENTENCE = 200;

export interface WsClientOptions {
  /** The token for `Authorization: Bearer`. */
  readonly token?: string;
  readonly maxMessageBytes: number;
  /** How long the connection and its upgrade may take. */
  readonly timeoutMs?: number;
  readonly keepalive?: Keepalive;
  /** Certificates to trust, PEM, beside the system's. */
  readonly ca?: string;
  /** Any certificate does: the caller proves by `channelBinding` who the other side is. */
  readonly anyCertificate?: boolean;
  /**
   * Nothing stands in between that could take what is sent for something else, which is what masking is against (RFC 6455, 10.3):
   * the mask is zero, and neither side spends time on it.
   */
  readonly plainMask?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Connects to a WebSocket server.
 * @throws FsError EACCES when the server refuses us (401, 403), EHOSTDOWN when there is none or it does
 *   not answer in time, EPROTO when what answers is no WebSocket server, ECANCELED when `signal` aborts.
 */
export function connectWs(url: string, options: WsClientOptions): Promise<WsTransport> {
  const { token, maxMessageBytes, timeoutMs = 10_000, keepalive, ca, anyCertificate, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(FsError.from(signal.reason));
      return;
    }
    const how: ClientOptions = {
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      handshakeTimeout: timeoutMs,
      followRedirects: false,
      ...CLOSE_TIMEOUT,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      ...(ca === undefined ? {} : { ca }),
      ...(anyCertificate === true ? { rejectUnauthorized: false } : {}),
      ...(options.plainMask === true ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
    };
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, how);
    } catch (thrown) {
      reject(
        new FsError('EINVAL', `${JSON.stringify(url)} is not a ws:// or wss:// address.`, { cause: thrown }),
      );
      return;
    }
    const abandon = (): void => {
      settle();
      socket.on('error', () => undefined);
      socket.terminate();
      reject(FsError.from(signal?.reason));
    };
    const fail = (error: FsError): void => {
      settle();
      // The close that follows may still emit errors; the first one is what happened.
      socket.on('error', () => undefined);
      socket.terminate();
      reject(error);
    };
    const onError = (thrown: Error): void => fail(errorFromConnect(thrown, url));
    const onRefused = (_request: unknown, response: IncomingMessage): void => {
      void sentenceIn(response).then((why) => fail(errorFromStatus(response.statusCode ?? 0, url, why)));
    };
    const onUpgrade = ({ socket: wire }: IncomingMessage): void => {
      // Only what was upgraded opens, and once.
      socket.once('open', () => {
        settle();
        resolve(new WsTransport(socket, wire, keepalive));
      });
    };
    const settle = (): void => {
      signal?.removeEventListener('abort', abandon);
      socket.off('error', onError).off('upgrade', onUpgrade).off('unexpected-response', onRefused);
    };
    signal?.addEventListener('abort', abandon, { once: true });
    socket.on('error', onError).on('upgrade', onUpgrade).on('unexpected-response', onRefused);
  });
}

/** What a refusal says in plain text, where that is one line; else "". */
async function sentenceIn(response: IncomingMessage): Promise<string> {
  if (!/^text\/plain\b/i.test(response.headers['content-type'] ?? '')) return '';
  let said = '';
  try {
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      said += part;
      if (said.length > MAX_SENTENCE) return '';
    }
  } catch {
    // It hung up before its end.
    return '';
  }
  return /^[\x20-\x7e]+\n?$/.test(said) ? said.trimEnd() : '';
}

function errorFromStatus(status: number, url: string, why: string): FsError {
  if (status === 503)
    return new FsError(
      'EHOSTDOWN',
      `${hostOf(url)} is there, but does not serve now (HTTP 503). ${why}`.trimEnd(),
      {
        hint: 'It goes on once that is over; its log says more.',
      },
    );
  if (status === 401 || status === 403)
    return new FsError('EACCES', `${hostOf(url)} refused the connection (HTTP ${status}).`, {
      hint: 'Check the token and the address.',
    });
  return new FsError(
    status >= 500 || status === 429 ? 'EHOSTDOWN' : 'EPROTO',
    `${hostOf(url)} answered HTTP ${status} instead of a WebSocket.`,
    {
      hint:
        status >= 500 || status === 429
          ? 'It, or a proxy before it, is overloaded or being restarted: try again in a while.'
          : 'Something else listens there, or a proxy that lets no WebSocket through: correct the address.',
    },
  );
}

function errorFromConnect(thrown: Error, url: string): FsError {
  const known = FsError.from(thrown);
  const code = known.code === 'EIO' || known.code === 'ETIMEDOUT' ? 'EHOSTDOWN' : known.code;
  const isPlain = thrown.message.includes('wrong version number');
  return new FsError(code, `No connection to ${hostOf(url)}: ${reasonOf(thrown) || code}.`, {
    hint: isPlain
      ? 'Write ws:// instead of wss:// in its address, or give it a certificate (--tls-cert, --tls-key or --tls-auto).'
      : 'Start it with `acheron control`, or correct its address.',
    cause: thrown,
  });
}

/** Scheme, host and port; never a query or a password. */
function hostOf(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    return 'the server';
  }
}
