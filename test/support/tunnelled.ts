import type { Test } from 'tap';
import { localSession, type Session } from '../../lib/policy/index.js';
import { memoryPair, type Transport } from '../../lib/transport/index.js';
import {
  acceptAndServe,
  RemoteVfs,
  sendHello,
  type RemoteVfsOptions,
  type ServedConnection,
} from '../../lib/tunnel/index.js';
import type { Vfs } from '../../lib/vfs/index.js';
import { wsPair } from './ws-pair.js';

export interface TunnelOptions {
  readonly through: 'memory' | 'ws';
  readonly binary?: boolean;
  readonly session?: () => Session;
  readonly remote?: RemoteVfsOptions;
  /** Wraps the end of the client, or of the server. */
  readonly wrap?: (transport: Transport, end: 'client' | 'server') => Transport;
}

export interface Tunnel {
  readonly remote: RemoteVfs;
  readonly served: () => ServedConnection;
  /** Cuts the connection as a lost network does. */
  cut(): Promise<void>;
  connect(): Promise<void>;
}

/** `vfs` served over a connection, and the `RemoteVfs` at its other end. */
export async function tunnelled(t: Test, vfs: Vfs, options: TunnelOptions): Promise<Tunnel> {
  const remote = new RemoteVfs(options.remote);
  const { wrap = (transport: Transport) => transport, binary = true } = options;
  let served: ServedConnection | undefined;
  let close = async (): Promise<void> => undefined;
  const connect = async (): Promise<void> => {
    const pair =
      options.through === 'ws'
        ? await wsPair()
        : ((client, server) => ({
            client,
            server,
            close: async () => client.destroy(),
          }))(...memoryPair());
    close = () => pair.close();
    const sessionOf = options.session ?? (() => localSession('admin'));
    const [accepted, handshake] = await Promise.all([
      acceptAndServe(vfs, wrap(pair.server, 'server'), { sessionOf }),
      sendHello(wrap(pair.client, 'client'), { binary }),
    ]);
    served = accepted;
    remote.attach(handshake);
  };
  await connect();
  t.teardown(async () => {
    await remote.close();
    await close();
    await served?.closed;
  });
  return {
    remote,
    served: () => served!,
    connect,
    cut: async () => {
      await close();
      await served?.closed;
    },
  };
}
