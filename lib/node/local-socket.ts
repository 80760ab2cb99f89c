import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { FsError, type Log } from '../core/index.js';
import type { Session } from '../policy/index.js';
import type { Transport } from '../transport/index.js';
import type { Vfs } from '../vfs/index.js';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** The tree on a Unix socket, for the commands of the same user that need no mount. */
export interface LocalSocket {
  close(): Promise<void>;
}

/**
 * Serves `vfs` to those who may open the socket: its owner alone. One that a killed process left is replaced;
 * that nobody else uses it is known from the lock on the state.
 * @throws FsError when the socket cannot be made
 */
export function serveLocally(
  vfs: Vfs,
  path: string,
  sessionOf: () => Session,
  log: Log,
): Promise<LocalSocket> {
  const transports = new Set<Transport>();
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    servePeer({ vfs, sessionOf, log, transports }, request, socket, head).catch((thrown: unknown) => {
      log.debug('A local peer was turned away.', { error: FsError.from(thrown).message });
      socket.destroy();
    });
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const transport of transports) transport.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return new Promise((resolve, reject) => {
    rmSync(path, { force: true });
    server.once('error', (error) => reject(FsError.from(error)));
    const before = process.umask(0o177);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve({ close });
    });
    process.umask(before);
  });
}

interface Served {
  readonly vfs: Vfs;
  readonly sessionOf: () => Session;
  readonly log: Log;
  readonly transports: Set<Transport>;
}

/** Loads what speaks the protocol when the first peer comes: a node that has none starts without it. */
async function servePeer(
  { vfs, sessionOf, log, transports }: Served,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const [{ WsAcceptor }, { acceptHello, serveVfs }] = await Promise.all([
    import('../transport/index.js'),
    import('../tunnel/index.js'),
  ]);
  const acceptor = new WsAcceptor({ maxMessageBytes: MAX_MESSAGE_BYTES });
  const transport = await new Promise<Transport>((resolve) =>
    acceptor.accept(request, socket, head, resolve),
  );
  transports.add(transport);
  transport.onClose(() => transports.delete(transport));
  serveVfs(vfs, await acceptHello(transport), { sessionOf, log });
}
