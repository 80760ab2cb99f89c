import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import {
  BaseFile,
  fileStat,
  MapDir,
  newIno,
  ReadOnlyHandle,
  type FileHandle,
  type Op,
  type Stat,
} from '../../lib/vfs/index.js';
import { Emitter } from '../../lib/core/index.js';
import { walk } from '../../lib/vfs/index.js';
import { FaultyTransport, seededRandom } from '../support/faulty-transport.js';
import { tunnelled, type Tunnel } from '../support/tunnelled.js';
import { until } from '../support/until.js';

/** Looks come so often here that ten seconds pass in a fraction of one. */
const LOOK_MS = 25;
const op = (): Op => ({ session: localSession('admin'), signal: new AbortController().signal });

/** A file that is opened at once, and read when it is let. */
class SlowFile extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live';
  readonly waiting: (() => void)[] = [];
  opened = 0;
  released = 0;
  holdsOpen = false;
  holdsRead = false;

  stat(): Stat {
    return fileStat(this.ino, 0n, 0o444, 10);
  }

  async open(): Promise<FileHandle> {
    if (this.holdsOpen) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.opened++;
    return new SlowHandle(this);
  }

  go(): void {
    for (const go of this.waiting.splice(0)) go();
  }
}

class SlowHandle extends ReadOnlyHandle {
  override readonly direct = true;
  readonly #file: SlowFile;

  constructor(file: SlowFile) {
    super();
    this.#file = file;
  }

  stat(): Stat {
    return this.#file.stat();
  }

  async read(): Promise<Uint8Array> {
    if (this.#file.holdsRead) await new Promise<void>((resolve) => this.#file.waiting.push(resolve));
    return Buffer.from('done');
  }

  override release(): void {
    this.#file.released++;
  }
}

async function slowTunnel(
  t: Test,
  wrap?: (transport: FaultyTransport) => void,
): Promise<{ file: SlowFile; tunnel: Tunnel; open: () => Promise<FileHandle> }> {
  const file = new SlowFile();
  const root = new MapDir(new Map([['slow', file]]));
  const tunnel = await tunnelled(
    t,
    { root, changes: new Emitter(), close: async () => undefined },
    {
      through: 'ws',
      remote: { lookMs: LOOK_MS },
      wrap: (inner, end) => {
        if (end !== 'server') return inner;
        const faulty = new FaultyTransport(inner, {}, seededRandom(1));
        wrap?.(faulty);
        return faulty;
      },
    },
  );
  const open = async (): Promise<FileHandle> => {
    const node = await walk(tunnel.remote.root, '/slow', op());
    if (node.kind !== 'file') throw new Error('It is no file.');
    return node.open({ read: true, write: false, append: false, truncate: false, exclusive: false }, op());
  };
  return { file, tunnel, open };
}

const codeOf = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'answered',
    (thrown: unknown) => FsError.from(thrown).code,
  );

t.test(
  'a read that a live peer never answers ends, and a peer that answers none is not asked on',
  async (t) => {
    const { file, tunnel, open } = await slowTunnel(t);
    file.holdsOpen = true;
    t.equal(await codeOf(open()), 'EHOSTDOWN');
    t.equal(tunnel.remote.state, 'attached', 'one request says nothing of the others');
    await Promise.all([codeOf(open()), codeOf(open()), codeOf(open())]);
    t.equal(tunnel.remote.state, 'detached');
    t.equal(await codeOf(open()), 'EHOSTDOWN');
    file.holdsOpen = false;
    file.go();
    await until(() => tunnel.remote.state === 'attached', 'the late answers');
    await until(() => file.released === file.opened, 'what was opened late, closed');
    t.ok(file.opened >= 4);
  },
);

t.test('a peer that is busy with 64 slow reads is not taken for silent', async (t) => {
  const { file, tunnel, open } = await slowTunnel(t);
  let turns = 0;
  tunnel.remote.states.on(() => {
    turns++;
  });
  file.holdsOpen = true;
  const opening = Array.from({ length: 64 }, () => codeOf(open().then((handle) => handle.release())));
  await until(() => file.waiting.length === 64, 'the requests');
  // Longer than a peer may owe an answer without a sign, and not as long as a read may take.
  await sleep(20 * LOOK_MS);
  t.equal(tunnel.remote.state, 'attached');
  file.go();
  t.same(new Set(await Promise.all(opening)), new Set(['answered']));
  t.equal(turns, 0, 'nor was it for a moment');
});

t.test(
  'a connection that carries nothing in one direction is given up, and reads do not wait for that',
  async (t) => {
    let faulty: FaultyTransport | undefined;
    const { file, tunnel, open } = await slowTunnel(t, (transport) => (faulty = transport));
    const handle = await open();
    file.holdsRead = true;
    const reading = codeOf(Promise.resolve(handle.read(20, 4, op())));
    faulty!.faults = { drop: 1 };
    t.equal(await reading, 'EHOSTDOWN');
    t.equal(await codeOf(open()), 'EHOSTDOWN');
    t.not(tunnel.remote.link, undefined, 'the connection is there for a while');
    await until(() => tunnel.remote.link === undefined, 'the connection, given up');
    file.holdsRead = false;
    file.go();
    await tunnel.cut();
    await tunnel.connect();
    t.equal(await codeOf(open().then((again) => again.release())), 'answered');
  },
);
