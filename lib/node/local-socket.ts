import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { FsError, type Log } from '../core/index.js';
import type { Session } from '../policy/index.js';
import { greet, serveVfs } from '../tunnel/index.js';
import { WsAcceptor, type Transport } from '../transport/index.js';
import type { Vfs } from '../vfs/index.js';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** The tree on a Unix socket, for the commands of the same user that need no mount. */
export interface LocalSocket {
  close(): Promise<void>;
}

/**
 * Serves `vfs` to whoever may open the socket: its owner alone. One that a killed process left is replaced;
 * that nobody else uses it is known from the lock on the state.
 * @throws FsError when the socket cannot be made
 */
export function serveLocally(
  vfs: Vfs,
  path: string,
  sessionOf: () => Session,
  log: Log,
): Promise<LocalSocket> {
  const acceptor = new WsAcceptor({ maxMessageBytes: MAX_MESSAGE_BYTES });
  const transports = new Set<Transport>();
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket, head) => {
    acceptor.accept(request, socket, head, (transport) => {
      transports.add(transport);
      transport.onClose(() => transports.delete(transport));
      greet(transport).then(
        (greeting) => serveVfs(vfs, greeting, { sessionOf, log }),
        (thrown: unknown) =>
          log.debug('A local peer was turned away.', { error: FsError.from(thrown).message }),
      );
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
