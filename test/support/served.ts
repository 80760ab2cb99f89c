import type { Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { acceptAndServe, type AcceptOptions, type ServedConnection } from '../../lib/tunnel/index.js';
import type { Vfs } from '../../lib/vfs/index.js';
import { listenWs } from './ws-pair.js';

/** `vfs` on a WebSocket, as a listening node offers it; each connection is an admin. */
export async function servedOnWs(
  t: Test,
  vfs: Vfs,
  options: AcceptOptions = {},
): Promise<{ url: string; connections: ServedConnection[]; refused: FsError[] }> {
  const connections: ServedConnection[] = [];
  const refused: FsError[] = [];
  const listener = await listenWs((transport) => {
    acceptAndServe(vfs, transport, { sessionOf: () => localSession('admin'), ...options }).then(
      (connection) => connections.push(connection),
      (thrown: unknown) => refused.push(FsError.from(thrown)),
    );
  });
  t.teardown(() => listener.close());
  return { url: listener.url, connections, refused };
}
