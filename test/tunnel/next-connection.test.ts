import t, { type Test } from 'tap';
import type { DirNode, FileNode } from '../../lib/vfs/index.js';
import { isInParts, type Message } from '../../lib/transport/index.js';
import { walk } from '../../lib/vfs/index.js';
import { createMemoryVfs } from '../support/memory-vfs.js';
import { op, READ, WRITE } from '../support/ops.js';
import { tunnelled, type Tunnel } from '../support/tunnelled.js';
import { until } from '../support/until.js';

/** Requests of the kinds named here stay with the client until they are let go. */
class Held {
  types: readonly string[] = [];
  count = 0;
  #waiting: (() => void)[] = [];

  take(message: Message, send: () => void): void {
    const head = isInParts(message) ? message[0] : message;
    const text = typeof head === 'string' ? head : Buffer.from(head).toString('latin1');
    if (!this.types.some((type) => text.includes(`acheron.t_fs_${type}"`))) return send();
    this.count++;
    this.#waiting.push(send);
  }

  letGo(): void {
    this.types = [];
    for (const send of this.#waiting.splice(0)) send();
  }
}

async function moving(t: Test): Promise<{ tunnel: Tunnel; held: Held }> {
  const vfs = createMemoryVfs();
  const held = new Held();
  const tunnel = await tunnelled(t, vfs, {
    through: 'memory',
    remote: { patienceMs: 5_000 },
    wrap: (transport, end) => {
      if (end === 'server') return transport;
      const send = transport.send.bind(transport);
      transport.send = (message, onSpent) => held.take(message, () => send(message, onSpent));
      return transport;
    },
  });
  for (const name of ['from', 'to']) await tunnel.remote.root.mkdir(name, 0o755, op());
  const dir = (await walk(tunnel.remote.root, 'from', op())) as DirNode;
  const { handle } = await dir.create('file', WRITE, 0o644, op());
  await handle.write(0, Buffer.from('content'), op());
  await handle.flush!(op());
  await handle.release();
  return { tunnel, held };
}

t.test('what changes something, and is not sent yet, is asked over the next connection', async (t) => {
  const { tunnel, held } = await moving(t);
  const file = (await walk(tunnel.remote.root, 'from/file', op())) as FileNode;
  await tunnel.connect();
  held.types = ['lookup'];
  const opening = (async () => file.open({ ...WRITE, truncate: true }, op()))();
  await until(() => held.count === 1, 'it is being found again on the second one');
  held.types = [];
  await tunnel.connect();
  const handle = await opening;
  t.equal((await handle.stat(op())).size, 0);
  await handle.release();
});

t.test('both nodes of a rename are of one connection', async (t) => {
  const { tunnel, held } = await moving(t);
  const { root } = tunnel.remote;
  const from = (await walk(root, 'from', op())) as DirNode;
  const to = (await walk(root, 'to', op())) as DirNode;
  await tunnel.connect();
  held.types = ['lookup'];
  const renaming = (async () => from.rename('file', to, 'renamed', 0, op()))();
  await until(() => held.count === 1, 'one of them is being found again on the second one');
  held.types = [];
  await tunnel.connect();
  // On the third one, numbers are given in another order.
  await t.rejects((async () => to.lookup('nothing', op()))(), { code: 'ENOENT' });
  await renaming;
  const names = async (dir: DirNode): Promise<string[]> =>
    [...(await dir.list(op()))].map(({ name }) => name);
  t.same(await names(from), []);
  t.same(await names(to), ['renamed']);
});

t.test('what is asked through a descriptor for writing is answered by its own connection', async (t) => {
  const { tunnel, held } = await moving(t);
  const file = (await walk(tunnel.remote.root, 'from/file', op())) as FileNode;
  const handle = await file.open({ ...WRITE, read: true }, op());
  held.types = ['getattr', 'read'];
  const stat = (async () => handle.stat({ ...op() }))();
  const read = (async () => handle.read(0, 7, op()))();
  await until(() => held.count === 2, 'both are on their way');
  await tunnel.connect();
  held.letGo();
  t.equal((await stat).size, 7);
  t.equal(Buffer.from(await read).toString(), 'content');
  await handle.release();
});

t.test('what only reads does not wait for a connection that is left', async (t) => {
  const { tunnel, held } = await moving(t);
  const file = (await walk(tunnel.remote.root, 'from/file', op())) as FileNode;
  held.types = ['open'];
  const opening = (async () => file.open(READ, op()))();
  await until(() => held.count === 1, 'it is asked over the first one');
  held.types = [];
  await tunnel.connect();
  const handle = await opening;
  t.equal(Buffer.from(await handle.read(0, 7, op())).toString(), 'content');
  await handle.release();
});
