import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Server as TlsServer, createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FsError, isId, networkOf } from '../../core/index.js';
import { MAX_CONTROL_FRAME_BYTES, MAX_FS_FRAME_BYTES } from '../../protocol/index.js';
import { FairTransport, WsAcceptor, type WsTransport } from '../../transport/index.js';
import {
  answerConsole,
  CONSOLE_SOCKETS,
  consoleCredential,
  isConsolePath,
  isPageRequest,
  type ConsolePages,
} from './console-door.js';
import { chain, type Awaitable } from '../../vfs/index.js';
import type { Arrival } from './arrival.js';
import { ControlConnection } from './control-connection.js';
import type { Credential } from './credential.js';
import { greetFiles, type FilesConnection } from './files-connection.js';
import { GatedTransport } from './gated-transport.js';
import { answerPage, bearerOf, respond } from './http-pages.js';
import { MCP_PATH, McpDoor, type McpPages } from './mcp-door.js';
import type { ServerContext } from './server-context.js';
import { proveAsCalled, RELAY_PATH } from '../relay-proof.js';
import type { RelayConnection } from '../relay-replicas.js';
import { refuse } from './refuse-upgrade.js';
import { RequestGuard } from './request-guard.js';
import { farEndOf, MAX_STRANGER_FRAME_BYTES } from './strangers.js';
import { usableTls, type TlsFiles } from './tls-files.js';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** A socket that listens already, in place of host and port. */
  readonly descriptor: number | undefined;
  readonly tls: TlsFiles | undefined;
  /** Listens beyond this machine without TLS. */
  readonly insecure: boolean;
  readonly allowOrigins: readonly string[];
  readonly allowHosts: readonly string[];
  readonly onFiles: ((files: FilesConnection) => void) | undefined;
  /** Another replica of this control plane has called. */
  readonly onRelay: ((connection: RelayConnection) => void) | undefined;
  /** Undefined: there is no web console. */
  readonly consolePages: ConsolePages | undefined;
  /** Undefined: nothing is at `/mcp`. */
  readonly mcpPages: McpPages | undefined;
}

/** Most connections at a time. */
const MAX_CONNECTIONS = 50_000;
/** Of them, so many may wait to be accepted. */
const BACKLOG = 4096;
/** Of these, with one token. */
const MAX_CONNECTIONS_OF_A_TOKEN = 4096;
const HEADER_TIMEOUT_MS = 10_000;
const GOODBYE_MS = 250;
/** The control channel, and the files: those of a session, or of a node that offers its own. Members of the family dial them by other names. */
const SOCKETS = new Map<string, '/' | '/v2/fs'>([
  ['/', '/'],
  ['/v2/fs', '/v2/fs'],
  ['/v2/node', '/v2/fs'],
  ['/fs', '/v2/fs'],
]);
/** The tree of one node. */
const NODE_FILES = /^\/v2\/fs\/node\/([^/]+)$/;

/** The socket of the control plane: HTTP pages, and the two WebSockets. */
export class Listener {
  readonly #context: ServerContext;
  readonly #options: ListenerOptions;
  readonly #guard: RequestGuard;
  readonly #server: Server;
  // A little more than the limit, so that a frame just above it is answered and not cut off.
  readonly #acceptor = new WsAcceptor({ maxMessageBytes: 2 * MAX_STRANGER_FRAME_BYTES });
  readonly #byToken = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  constructor(context: ServerContext, options: ListenerOptions) {
    this.#context = context;
    this.#options = options;
    const { mcpPages } = options;
    const mcp = mcpPages === undefined ? undefined : new McpDoor(context, mcpPages);
    const tls = options.tls === undefined ? undefined : usableTls(options.tls);
    this.#guard = new RequestGuard({ ...options, cert: tls?.cert });
    const limits = {
      headersTimeout: HEADER_TIMEOUT_MS,
      requestTimeout: HEADER_TIMEOUT_MS,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16 * 1024,
      // The guard decides on it.
      requireHostHeader: false,
    };
    this.#server = tls === undefined ? createServer(limits) : createTlsServer({ ...limits, ...tls });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket) => {
      context.strangers.enter(socket);
      context.turns.arrived();
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (request, response) => {
      const path = pathOf(request);
      const refusal = this.#refusal(request, path);
      if (refusal !== undefined) {
        respond(response, 403, 'text/plain', `${refusal}\n`);
        return;
      }
      if (!mayServe(context) && !ALWAYS_ANSWERED.has(path)) {
        respond(response, 503, 'text/plain', 'This replica has lost touch with its store.\n', {
          'retry-after': '1',
        });
        return;
      }
      const answered = isConsolePath(path)
        ? answerConsole(context, options.consolePages, request, response)
        : path === MCP_PATH && mcp !== undefined
          ? mcp.answer(request, response)
          : answerPage(context, request, response);
      answered.catch((thrown: unknown) => {
        context.log.error('a page could not be answered', { error: thrown });
        response.destroy();
      });
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      try {
        this.#upgrade(request, socket, head);
      } catch (thrown) {
        context.log.error('an upgrade failed', { error: thrown });
        refuse(socket, 500, 'It failed.');
      }
    });
    this.#server.on('clientError', (_error: Error, socket: Duplex) =>
      refuse(socket, 400, 'This is not HTTP.'),
    );
  }

  /** @throws FsError EACCES for an address beyond this machine without TLS; EBUSY when the port is taken. */
  async listen(): Promise<{ port: number; url: string }> {
    const { host, port, tls, descriptor } = this.#options;
    if (descriptor === undefined) this.#requireSafe(host);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (thrown: NodeJS.ErrnoException) => {
        reject(
          thrown.code === 'EADDRINUSE'
            ? new FsError('EBUSY', `Port ${port} on ${host} is taken.`, {
                hint: 'Stop what listens there, or choose another port.',
                cause: thrown,
              })
            : FsError.from(thrown),
        );
      });
      if (descriptor === undefined) this.#server.listen(port, host, BACKLOG, resolve);
      else this.#server.listen({ fd: descriptor, backlog: BACKLOG }, resolve);
    });
    const address = this.#server.address();
    try {
      if (address === null || typeof address === 'string')
        throw new FsError('EINVAL', 'What the service manager handed over is no socket of TCP.', {
          hint: 'ListenStream= of the .socket unit takes a port, or an address and a port.',
        });
      // What it was handed is known only now; nobody is let in before this has returned.
      if (descriptor !== undefined) this.#requireSafe(address.address);
    } catch (thrown) {
      this.#server.close();
      throw thrown;
    }
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return { port: address.port, url: `${tls === undefined ? 'ws' : 'wss'}://${name}:${address.port}` };
  }

  #requireSafe(host: string): void {
    const { tls, insecure } = this.#options;
    if (tls !== undefined || insecure || isLoopback(host)) return;
    throw new FsError('EACCES', `${host} can be reached from other machines, and there is no TLS.`, {
      hint: 'Give --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure.',
    });
  }

  /** New connections get this certificate. @throws FsError EINVAL */
  replaceTls(tls: TlsFiles): void {
    if (!(this.#server instanceof TlsServer))
      throw new FsError('EINVAL', 'It listens without TLS.', {
        hint: 'Start it anew to listen with it.',
      });
    const usable = usableTls(tls);
    this.#server.setSecureContext(usable);
    this.#guard.replaceCertificate(usable.cert);
  }

  /** Takes no more; open connections have a moment to end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, GOODBYE_MS);
    await closed;
    clearTimeout(cut);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { metrics, drain } = this.#context;
    const { upgrades } = metrics;
    if (!mayServe(this.#context)) {
      upgrades.inc({ outcome: 'unavailable' });
      refuse(socket, 503, NOT_SERVING);
      return;
    }
    const asked = pathOf(request);
    const refusal = this.#refusal(request, asked);
    if (refusal !== undefined) {
      upgrades.inc({ outcome: 'foreign' });
      refuse(socket, 403, refusal);
      return;
    }
    // Also while it stops: nodes are still here.
    if (asked === RELAY_PATH && this.#context.store.replicas !== undefined) {
      this.#receiveReplica(request, socket, head);
      return;
    }
    if (drain.reason !== null) {
      upgrades.inc({ outcome: 'going_away' });
      refuse(socket, 503, drain.reason);
      return;
    }
    const ofConsole = this.#options.consolePages === undefined ? undefined : CONSOLE_SOCKETS.get(asked);
    const nodeId = NODE_FILES.exec(asked)?.[1];
    const path = ofConsole ?? SOCKETS.get(asked) ?? (isId(nodeId) ? '/v2/fs' : undefined);
    if (path === undefined) {
      refuse(socket, 404, 'There is nothing here.');
      return;
    }
    const credential =
      ofConsole === undefined ? this.#bearer(request) : consoleCredential(this.#context, request);
    const admitted = chain(credential, (found) =>
      this.#admit(request, socket, head, { path, nodeId, credential: found }),
    );
    if (admitted instanceof Promise) admitted.catch(() => refuse(socket, 503, NOT_SERVING));
  }

  #admit(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    { path, nodeId, credential }: Asked & { readonly credential: Credential | null },
  ): void {
    const { upgrades } = this.#context.metrics;
    const address = request.socket.remoteAddress ?? 'unknown';
    if (credential === null) {
      upgrades.inc({ outcome: 'unauthorized' });
      this.#context.authFailures.note({ act: 'login', address, reason: 'bad_token' });
      const answer = (): void => refuse(socket, 401, 'The token is not valid.');
      this.#context.throttle.failed(address, answer, () => refuse(socket, 429, 'Too many failed logins.'));
      return;
    }
    const own = credential === undefined ? 0 : (this.#byToken.get(credential.record.tokenId) ?? 0);
    if (own >= MAX_CONNECTIONS_OF_A_TOKEN) {
      upgrades.inc({ outcome: 'too_many' });
      refuse(socket, 429, 'Too many connections with this token.');
      return;
    }
    upgrades.inc({ outcome: 'ok' });
    this.#acceptor.accept(request, socket, head, (transport) =>
      this.#welcome(path, transport, {
        farEnd: farEndOf(request.socket),
        address,
        credential,
        nodeId,
        url: this.#urlOf(request),
        isOfFamily: this.#acceptor.isExcused(request) || request.headers.host === undefined,
      }),
    );
  }

  /** Whoever connects as a replica has to prove it before anything else; who cannot is told nothing. */
  #receiveReplica(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { replicas } = this.#context.store;
    const { log, strangers, metrics } = this.#context;
    if (replicas === undefined) return;
    const { relayKey: key, membership } = replicas;
    const farEnd = farEndOf(request.socket);
    this.#acceptor.accept(request, socket, head, (transport) => {
      proveAsCalled(transport, { key, selfId: membership.selfId, binding: transport.channelBinding }).then(
        (replicaId) => {
          metrics.upgrades.inc({ outcome: 'ok' });
          strangers.know(farEnd);
          transport.limitMessages(MAX_FS_FRAME_BYTES);
          this.#options.onRelay?.({ transport, replicaId });
        },
        (thrown: unknown) => {
          metrics.upgrades.inc({ outcome: 'unauthorized' });
          const address = request.socket.remoteAddress ?? 'unknown';
          log.warn('Somebody who is no replica called as one.', {
            address,
            error: FsError.from(thrown).message,
          });
        },
      );
    });
  }

  /** By the name that the peer used; by our address where it named none. */
  #urlOf({ headers, socket }: IncomingMessage): string {
    const scheme = this.#options.tls === undefined ? 'ws' : 'wss';
    return `${scheme}://${headers.host ?? `${hostText(socket.localAddress)}:${socket.localPort}`}`;
  }

  /** What the token proves; undefined where there is none, null where it is not good. */
  #bearer(request: IncomingMessage): Awaitable<Credential | null> {
    const token = bearerOf(request);
    if (token === undefined || token === null) return token;
    const { store } = this.#context;
    return chain(
      store.findAnywhere(() => store.tokens.verify(token)),
      (found) => found ?? null,
    );
  }

  /** Why the request is refused before anything else is looked at. */
  #refusal(request: IncomingMessage, path: string): string | undefined {
    return isConsolePath(path) && this.#options.consolePages !== undefined
      ? this.#guard.consoleRefusal(request, isPageRequest(path))
      : this.#guard.refusal(request);
  }

  #welcome(
    path: '/' | '/v2/fs',
    transport: WsTransport,
    {
      farEnd,
      address,
      credential,
      nodeId,
      url,
      isOfFamily,
    }: { farEnd: string; nodeId: string | undefined } & Pick<
      Arrival,
      'address' | 'credential' | 'url' | 'isOfFamily'
    >,
  ): void {
    const { strangers, turns } = this.#context;
    const most = path === '/' ? 2 * MAX_CONTROL_FRAME_BYTES : MAX_FS_FRAME_BYTES;
    const fair = new FairTransport(transport, turns, `stranger ${networkOf(address)}`);
    const known = (party: string): void => {
      strangers.know(farEnd);
      transport.limitMessages(most);
      fair.belongTo(party);
    };
    if (credential !== undefined) {
      const { tokenId } = credential.record;
      known(`token ${tokenId}`);
      this.#byToken.set(tokenId, (this.#byToken.get(tokenId) ?? 0) + 1);
      transport.onClose(() => {
        const left = (this.#byToken.get(tokenId) ?? 0) - 1;
        if (left <= 0) this.#byToken.delete(tokenId);
        else this.#byToken.set(tokenId, left);
      });
    }
    const id = String(++this.#connections);
    const arrival = { id, address, credential, url, isOfFamily, known, isBehind: () => fair.isBehind };
    const membership = this.#context.store.replicas?.membership;
    const gated = membership === undefined ? fair : new GatedTransport(fair, membership);
    if (path === '/') new ControlConnection(this.#context, gated, arrival);
    else greetFiles(this.#context, gated, { ...arrival, nodeId, onFiles: this.#options.onFiles });
  }
}

/** What says how it is, whatever that is. */
const ALWAYS_ANSWERED = new Set(['/livez', '/readyz', '/healthz', '/metrics', '/metrics.json']);

const NOT_SERVING = 'This replica has lost touch with its store.';

/** What an upgrade asks for. */
interface Asked {
  readonly path: '/' | '/v2/fs';
  readonly nodeId: string | undefined;
}

const mayServe = ({ store }: ServerContext): boolean => store.replicas?.membership.isServing() ?? true;

const hostText = (address = 'localhost'): string => (address.includes(':') ? `[${address}]` : address);

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/';

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
