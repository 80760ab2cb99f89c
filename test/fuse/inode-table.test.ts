import t from 'tap';
import { InodeTable } from '../../lib/fuse/vfs-bridge/inode-table.js';
import { Document, MapDir, type Freshness } from '../../lib/vfs/index.js';

const document = (freshness: Freshness): Document =>
  new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness });
const directory = (): MapDir => new MapDir(new Map());

t.test('a million lookups leave nothing once they are forgotten', async (t) => {
  const table = new InodeTable(directory());
  const live = document('live');
  const announced = document('announced');
  const dir = directory();
  for (let i = 0; i < 250_000; i++) {
    const first = table.refer(table.root, 'live', live, (ref) => !ref.inUse);
    first.lookups += 1;
    first.opening = 1;
    const second = table.refer(table.root, 'live', live, (ref) => !ref.inUse);
    second.lookups += 1;
    const known = table.refer(table.root, 'doc', announced);
    known.lookups += 1;
    const below = table.refer(table.root, 'dir', dir);
    below.lookups += 1;
    if (i % 2 === 1) {
      table.forget(known.nodeid, 2);
      table.forget(below.nodeid, 2);
    }
    table.forget(first.nodeid, 1);
    table.forget(second.nodeid, 1);
  }
  t.equal(table.size, 1, 'only the root');
  t.same([...table.known(announced.ino)], []);
  t.same([...table.known(dir.ino)], []);
});

t.test('a directory has an id for each path, a file one for all its paths', async (t) => {
  const table = new InodeTable(directory());
  const { root } = table;
  const dir = directory();
  const file = document('announced');
  const a = table.refer(root, 'a', dir);
  const b = table.refer(root, 'b', dir);
  t.not(a.nodeid, b.nodeid);
  t.same(new Set(table.known(dir.ino)), new Set([a, b]));
  t.equal(table.refer(a, 'f', file), table.refer(b, 'f', file));
  table.moveChild(root, 'a', b, 'moved', false);
  t.equal(table.refer(b, 'moved', dir), a, 'a rename keeps the id');
});

t.test('ids are never used again, and the root is never forgotten', async (t) => {
  const table = new InodeTable(directory());
  const first = table.refer(table.root, 'f', document('announced'));
  first.lookups = 1;
  table.forget(first.nodeid, 1);
  t.ok(table.refer(table.root, 'f', document('announced')).nodeid > first.nodeid);
  table.forget(1, 1_000_000);
  t.equal(table.get(1), table.root);
});
