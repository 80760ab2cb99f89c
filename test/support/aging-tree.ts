import { RemoteTree } from '../../lib/compose/index.js';
import { silentLog } from '../../lib/core/index.js';
import { Document, MapDir, type Node, type Vfs } from '../../lib/vfs/index.js';
import { FakeClock } from './fake-clock.js';

/**
 * The tree of a control plane at `tree`, as a mount keeps it, for which time stands still until a file of `later/`
 * is read: then it is as many milliseconds after the start as its name says.
 */
export async function createAgingTree({
  url,
  token,
  times,
}: {
  readonly url: string;
  readonly token: string;
  readonly times: readonly number[];
}): Promise<Vfs> {
  const clock = new FakeClock();
  const print = (message: string): void => console.error(message);
  const log = { ...silentLog, debug: print };
  const tree = new RemoteTree({ url, token, keepsDescriptors: true, clock, log });
  await tree.start();
  const startMs = clock.now();
  const later = times.map((ms): [string, Node] => [
    String(ms),
    new Document(
      () => {
        clock.advance(startMs + ms - clock.now());
        return { bytes: Buffer.from('done\n'), mtimeNs: 0n };
      },
      { freshness: 'live' },
    ),
  ]);
  return {
    root: new MapDir(
      new Map<string, Node>([
        ['tree', tree.vfs.root],
        ['later', new MapDir(new Map(later))],
      ]),
    ),
    changes: tree.vfs.changes,
    close: () => tree.close(),
  };
}
