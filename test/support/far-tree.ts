import { Emitter } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { memoryPair } from '../../lib/transport/index.js';
import { acceptAndServe, RemoteVfs, sendHello } from '../../lib/tunnel/index.js';
import { Document, MapDir, type Change, type Vfs } from '../../lib/vfs/index.js';

/**
 * A tree at the far side of a connection, at `far`: `far/ticks` counts how often it was rendered, in a text
 * that gets longer. `requests` holds what was asked of the far side since `reset` was read.
 */
export async function createFarTree(): Promise<Vfs> {
  let rendered = 0;
  const ticks = new Document(
    () => {
      rendered++;
      return { bytes: Buffer.from(`${'x'.repeat(rendered)} ${rendered}\n`), mtimeNs: BigInt(rendered) };
    },
    { freshness: 'live' },
  );
  const [client, server] = memoryPair();
  let asked: string[] = [];
  const send = client.send.bind(client);
  client.send = (message) => {
    const type = typeof message === 'string' ? /"acheron\.t_fs_(\w+)"/.exec(message) : null;
    if (type !== null) asked.push(type[1]!);
    send(message);
  };
  const vfs = new RemoteVfs();
  const root = new MapDir(new Map([['ticks', ticks]]));
  const far: Vfs = { root, changes: new Emitter<Change>(), close: async () => undefined };
  const [, handshake] = await Promise.all([
    acceptAndServe(far, server, { sessionOf: () => localSession('admin') }),
    sendHello(client),
  ]);
  vfs.attach(handshake);
  const requests = new Document(
    () => {
      const text = `${JSON.stringify(asked)}\n`;
      return { bytes: Buffer.from(text), mtimeNs: 0n };
    },
    { freshness: 'live' },
  );
  const reset = new Document(
    () => {
      asked = [];
      return { bytes: Buffer.from('done\n'), mtimeNs: 0n };
    },
    { freshness: 'live' },
  );
  return {
    root: new MapDir(
      new Map<string, MapDir | Document | typeof vfs.root>([
        ['far', vfs.root],
        ['requests', requests],
        ['reset', reset],
      ]),
    ),
    changes: vfs.changes,
    close: () => vfs.close(),
  };
}
