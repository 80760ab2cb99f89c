import t from 'tap';
import { Emitter, FsError } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import {
  BaseFile,
  Document,
  documentStat,
  MapDir,
  newIno,
  ReadOnlyHandle,
  walk,
  type Change,
  type FileHandle,
  type FileNode,
  type Op,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { acceptAndServe, RemoteVfs, sendHello } from '../../lib/tunnel/index.js';
import { codeOf, readText } from '../support/access.js';
import { directAccess } from '../support/direct-access.js';
import { createMemoryVfs, type MemoryDir } from '../support/memory-vfs.js';
import { op, READ, WRITE } from '../support/ops.js';
import { createReferenceTree } from '../support/reference-tree.js';
import { tunnelled } from '../support/tunnelled.js';
import { until } from '../support/until.js';
import { wsPair } from '../support/ws-pair.js';

/** A file whose writes run until they are asked to end, as an invocation does. */
class Slow extends BaseFile {
  readonly ino = newIno();
  override readonly freshness = 'live' as const;
  started = 0;
  finished = 0;
  aborted: unknown;
  released = 0;
  readonly running: (() => void)[] = [];

  /** Lets the first of those that run come to its end. */
  end(): void {
    this.running.shift()?.();
  }

  stat(): Stat {
    return documentStat(this.ino, 0o666, { bytes: new Uint8Array(0), mtimeNs: 0n });
  }
  open(): FileHandle {
    return new SlowHandle(this);
  }
}

class SlowHandle extends ReadOnlyHandle {
  readonly #file: Slow;
  constructor(file: Slow) {
    super();
    this.#file = file;
  }
  stat(): Stat {
    return this.#file.stat();
  }
  read(): Uint8Array {
    return new Uint8Array(0);
  }
  override write(_at: number, data: Uint8Array, op: Op): Promise<number> {
    const file = this.#file;
    file.started++;
    return new Promise((resolve, reject) => {
      op.signal.addEventListener('abort', () => {
        file.aborted = op.signal.reason;
        reject(FsError.from(op.signal.reason));
      });
      file.running.push(() => {
        file.finished++;
        resolve(data.byteLength);
      });
    });
  }
  override release(): void {
    this.#file.released++;
  }
}

function treeWithSlow(): { vfs: Vfs & { root: MemoryDir }; slow: Slow } {
  const vfs = createMemoryVfs(true);
  return { vfs, slow: vfs.root.put('slow', new Slow()) };
}

t.test('what is announced is read once, and again only after it was said to have changed', async (t) => {
  let text = 'first';
  const document = new Document(() => ({ bytes: Buffer.from(text), mtimeNs: 0n }));
  const docs = new MapDir(new Map([['a.txt', document]]));
  const changes = new Emitter<Change>();
  const tree: Vfs = { root: new MapDir(new Map([['docs', docs]])), changes, close: async () => undefined };
  let sent = 0;
  const { remote } = await tunnelled(t, tree, {
    through: 'memory',
    wrap: (transport, end) => {
      const send = transport.send.bind(transport);
      if (end === 'client')
        transport.send = (message) => {
          sent++;
          send(message);
        };
      return transport;
    },
  });
  const heard: Change[] = [];
  remote.changes.on((change) => heard.push(change));
  const access = directAccess(remote);
  t.equal(await readText(access, '/docs/a.txt'), 'first');
  await access.readdir('/docs');
  const before = sent;
  for (let i = 0; i < 10; i++) {
    t.equal(await readText(access, '/docs/a.txt'), 'first');
    await access.stat('/docs/a.txt');
    await access.readdir('/docs');
  }
  t.equal(sent, before, 'nothing was asked');
  text = 'second';
  changes.emit({ what: 'data', ino: document.ino });
  await until(async () => (await readText(access, '/docs/a.txt')) === 'second');
  t.strictSame(heard, [{ what: 'data', ino: (await access.stat('/docs/a.txt')).ino }]);
});

t.test(
  'a lost connection fails calls in flight and new ones with EHOSTDOWN at once; what is known can be read',
  async (t) => {
    const { vfs, slow } = treeWithSlow();
    const tree = createReferenceTree();
    vfs.root.put('known', await tree.root.lookup('docs', op()));
    const { remote, ...tunnel } = await tunnelled(t, vfs, { through: 'memory' });
    const access = directAccess(remote);
    const text = await readText(access, '/known/hello.txt');
    const names = await access.readdir('/known');
    const node = (await walk(remote.root, 'slow', op())) as FileNode;
    const handle = await node.open(WRITE, op());
    const running = handle.write(0, Buffer.from('{}'), op()) as Promise<number>;
    const failed = codeOf(running);
    await until(() => slow.started === 1);
    const cutting = tunnel.cut();
    t.equal(await failed, 'EHOSTDOWN');
    t.equal(remote.state, 'detached');
    t.equal(await readText(access, '/known/hello.txt'), text);
    t.strictSame(await access.readdir('/known'), names);
    t.equal(await codeOf(access.readdir('/nowhere')), 'EHOSTDOWN');
    t.equal(await codeOf(Promise.resolve(node.stat(op()))), 'EHOSTDOWN');
    t.equal(slow.aborted, undefined, 'a lost tunnel does not cancel');
    t.equal(slow.released, 0, 'and what runs is not closed under its feet');
    slow.end();
    await cutting;
    t.equal(slow.finished, 1);
    t.equal(slow.released, 1);

    await tunnel.connect();
    t.equal(remote.state, 'attached');
    t.equal(slow.started, 1, 'nothing was sent again');
    t.equal(await codeOf(handle.write(0, Buffer.from('{}'), op()) as Promise<number>), 'EHOSTDOWN');
    await handle.release();
    t.equal((await node.stat(op())).kind, 'file', 'nodes are found again');
    t.equal(await readText(access, '/known/hello.txt'), text);
    const again = await node.open(WRITE, op());
    const second = again.write(0, Buffer.from('{}'), op());
    await until(() => slow.started === 2);
    slow.end();
    t.equal(await second, 2);
    await again.release();
  },
);

t.test('a far side that reports changes right after hello is listened to, and goes on', async (t) => {
  const vfs = createMemoryVfs(true);
  vfs.root.put('docs', new MapDir(new Map()));
  const pair = await wsPair();
  t.teardown(() => pair.close());
  const accepted = acceptAndServe(vfs, pair.server, { sessionOf: () => localSession('admin') });
  // In the same turn as the answer to hello, so that both come in one piece.
  const changed = accepted.then((served) => served.sessionChanged());
  const handshake = await sendHello(pair.client);
  const remote = new RemoteVfs();
  const heard: Change[] = [];
  remote.changes.on((change) => heard.push(change));
  remote.attach(handshake);
  await changed;
  t.equal((await walk(remote.root, 'docs', op())).kind, 'dir');
  t.ok(heard.some(({ what }) => what === 'all'));
  await remote.close();
});

t.test('what is kept is shown for ten minutes without a connection, and no longer', async (t) => {
  let now = 0;
  const clock = { now: () => now, after: () => () => undefined };
  const { remote, ...tunnel } = await tunnelled(t, createReferenceTree(), {
    through: 'memory',
    remote: { clock },
  });
  const access = directAccess(remote);
  await readText(access, '/docs/hello.txt');
  const file = (await walk(remote.root, 'docs/hello.txt', op())) as FileNode;
  const handle = await file.open(READ, op());
  await tunnel.cut();
  now = 600_000;
  t.equal(await readText(access, '/docs/hello.txt'), 'hello\n');
  t.equal((await handle.read(0, 10, op())).byteLength, 6);
  now = 600_001;
  t.equal(await codeOf(readText(access, '/docs/hello.txt')), 'EHOSTDOWN');
  t.equal(await codeOf((async () => handle.read(0, 10, op()))()), 'EHOSTDOWN');
  await tunnel.connect();
  t.equal(await readText(access, '/docs/hello.txt'), 'hello\n');
  t.equal((await handle.read(0, 10, op())).byteLength, 6, 'an open document lives on');
  await handle.release();
});

t.test(
  'what is kept is shown while the connection is closing too, before it is known to be lost',
  async (t) => {
    const { remote } = await tunnelled(t, createReferenceTree(), { through: 'memory' });
    const access = directAccess(remote);
    await readText(access, '/docs/hello.txt');
    const file = (await walk(remote.root, 'docs/hello.txt', op())) as FileNode;
    const handle = await file.open(READ, op());
    let isLost = false;
    remote.states.on(() => (isLost = true));
    const closed = remote.close();
    t.equal(remote.state, 'detached');
    const bytes = await handle.read(0, 10, op());
    t.notOk(isLost);
    t.equal(bytes.byteLength, 6);
    await closed;
    await handle.release();
  },
);

t.test('an abort reaches the far side, and the request is answered by what came of it', async (t) => {
  const { vfs, slow } = treeWithSlow();
  const { remote } = await tunnelled(t, vfs, { through: 'ws' });
  const node = (await remote.root.lookup('slow', op())) as FileNode;
  const handle = await node.open(WRITE, op());
  const abort = new AbortController();
  const running = codeOf(
    handle.write(0, Buffer.from('{}'), {
      session: localSession('admin'),
      signal: abort.signal,
    }) as Promise<number>,
  );
  await until(() => slow.started === 1);
  abort.abort(new FsError('ECANCELED', 'Ctrl-C'));
  t.equal(await running, 'ECANCELED');
  t.match(slow.aborted, { code: 'ECANCELED' });
  await handle.release();
});

t.test('calls of one connection run side by side; one that hangs holds up no other', async (t) => {
  const { vfs, slow } = treeWithSlow();
  vfs.root.put('docs', await createReferenceTree().root.lookup('docs', op()));
  const { remote } = await tunnelled(t, vfs, { through: 'ws' });
  const node = (await remote.root.lookup('slow', op())) as FileNode;
  const handles = await Promise.all([1, 2, 3].map(async () => node.open(WRITE, op())));
  const running = handles.map(async (handle) => handle.write(0, Buffer.from('x'), op()));
  await until(() => slow.started === 3);
  t.equal(await readText(directAccess(remote), '/docs/hello.txt'), 'hello\n');
  slow.end();
  await Promise.race(running);
  t.equal(slow.finished, 1);
  await remote.close();
  t.equal(await codeOf(Promise.all(running)), 'EHOSTDOWN');
  slow.end();
  slow.end();
  t.equal(slow.finished, 3, 'what had begun goes on');
});

t.test(
  'when rights change, what is kept and what is open is asked for again before it is shown',
  async (t) => {
    const inner = createReferenceTree();
    let session = localSession('admin');
    const docs = await inner.root.lookup('docs', op());
    const vfs = createMemoryVfs(true);
    vfs.root.put('docs', docs as never);
    const hello = (await walk(inner.root, 'docs/hello.txt', op())) as FileNode;
    const guardedOpen = hello.open.bind(hello);
    const check = ({ session }: Op): void => {
      if (session.revoked) throw new FsError('ENOENT', 'There is no such thing.');
    };
    hello.open = (flags, op) => {
      check(op);
      return guardedOpen(flags, op);
    };
    hello.access = (_mask, op) => check(op);
    const { remote, served } = await tunnelled(t, vfs, { through: 'ws', session: () => session });
    const access = directAccess(remote);
    const open = await access.open('/docs/hello.txt', 0);
    t.equal((await open.read(0, 100)).toString(), 'hello\n');
    await served().sessionChanged();
    t.equal((await open.read(0, 100)).toString(), 'hello\n');
    session = { ...session, revoked: true };
    await served().sessionChanged();
    t.equal(await codeOf(open.read(0, 100)), 'ENOENT');
    t.equal(await codeOf(readText(access, '/docs/hello.txt')), 'ENOENT');
  },
);

t.test('many large reads and writes arrive whole, whatever their sizes', async (t) => {
  for (const binary of [true, false]) {
    const { remote } = await tunnelled(t, createMemoryVfs(false), { through: 'ws', binary });
    const bytes = Buffer.alloc(9_000_001);
    for (let i = 0; i < bytes.length; i += 4)
      bytes.writeUInt32LE((i * 2654435761) >>> 0, Math.min(i, bytes.length - 4));
    const { handle, node } = await remote.root.create('big', { ...READ, write: true }, 0o644, op());
    t.equal(await handle.write(0, bytes, op()), bytes.length);
    t.ok(bytes.equals(await handle.read(0, bytes.length + 5, op())), 'in one call');
    await handle.release();
    const again = await node.open(READ, op());
    const parts: Uint8Array[] = [];
    for (let at = 0; ;) {
      const part = await again.read(at, 130_000, op());
      if (part.byteLength === 0) break;
      parts.push(part);
      at += part.byteLength;
    }
    t.ok(bytes.equals(Buffer.concat(parts)), 'front to back');
    const some = await Promise.all(
      [7, 3_000_000, 999, 8_999_990].map(async (at) => again.read(at, 300_000, op())),
    );
    t.ok(Buffer.from(some[1]!).equals(bytes.subarray(3_000_000, 3_300_000)), 'side by side');
    t.equal(some[3]!.byteLength, 11);
    await again.release();
  }
});
