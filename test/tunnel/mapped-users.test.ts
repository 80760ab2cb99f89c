import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createExport } from '../../lib/providers/index.js';
import { ForwardingTransport, type Message } from '../../lib/transport/index.js';
import { MapDir, walk, type FileNode, type Op, type Vfs } from '../../lib/vfs/index.js';
import { codeOf } from '../support/access.js';
import { op, READ } from '../support/ops.js';
import { temporaryDir } from '../support/test-node.js';
import { tunnelled } from '../support/tunnelled.js';

const SIZE = 3 * 1024 * 1024;

/** A tree with an export, and whom it was asked to act as. */
async function treeWithExport(t: Test): Promise<{ vfs: Vfs; asked: number[] }> {
  const path = temporaryDir(t);
  writeFileSync(join(path, 'large'), Buffer.alloc(SIZE, 'x'));
  chmodSync(join(path, 'large'), 0o644);
  const asked: number[] = [];
  const identityOf = (uid: number): null => {
    asked.push(uid);
    return null;
  };
  const userMap = { identityOf };
  const data = await createExport({
    name: 'data',
    path,
    readOnly: false,
    forbidden: [],
    squash: null,
    userMap,
  });
  const root = new MapDir(new Map([['data', data.root]]));
  return { vfs: { root, changes: data.changes, close: () => data.close() }, asked };
}

/** The code of what is refused, at once or later. */
const refusal = (work: () => unknown): Promise<string | null> => codeOf((async () => work())());

const as = (remoteUid: number | undefined): Op => ({ ...op(), remoteUid });

/** A peer of before: it does not know `uid`. */
class Older extends ForwardingTransport {
  override send(message: Message): void {
    super.send(typeof message === 'string' ? message.replace(',"uid":true', '') : message);
  }
}

t.test('a peer that would not heed whom a caller acts as is asked nothing of an export for it', async (t) => {
  const { vfs, asked } = await treeWithExport(t);
  const { remote } = await tunnelled(t, vfs, {
    through: 'memory',
    wrap: (transport, end) => (end === 'server' ? new Older(transport) : transport),
  });
  const data = await walk(remote.root, 'data', as(7));
  t.equal(await refusal(() => data.stat(as(7))), 'EACCES');
  t.equal(await refusal(() => walk(remote.root, 'data/large', as(7))), 'EACCES');
  const large = (await walk(remote.root, 'data/large', op())) as FileNode;
  t.equal(await refusal(() => large.open(READ, as(7))), 'EACCES');
  t.equal((await large.stat(op())).size, SIZE, 'all others are served');
  t.same(asked, []);
});

t.test(
  'a file is read ahead, and opened again after a lost connection, as the user who opened it',
  async (t) => {
    const { vfs, asked } = await treeWithExport(t);
    const tunnel = await tunnelled(t, vfs, { through: 'ws' });
    const { remote } = tunnel;
    const large = (await walk(remote.root, 'data/large', as(7))) as FileNode;
    const handle = await large.open(READ, as(7));
    const readAll = async (by: Op): Promise<void> => {
      for (let at = 0; at < SIZE;) at += (await handle.read(at, 64 * 1024, by)).byteLength;
    };
    await readAll(as(7));
    for (const other of [undefined, 8]) {
      await tunnel.cut();
      await tunnel.connect();
      asked.length = 0;
      await readAll(as(other));
      t.ok(asked.length > 0, 'it was opened again');
      t.same(new Set(asked), new Set([7]), 'by whomever it is read on');
    }
    await handle.release();
  },
);
