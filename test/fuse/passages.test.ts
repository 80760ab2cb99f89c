import t from 'tap';
import { NodeTable } from '../../lib/fuse/kernel-door/node-table.js';
import { Passages } from '../../lib/fuse/kernel-door/passages.js';
import { Document, MapDir } from '../../lib/vfs/index.js';

const INO = 7n;

t.test('callers pass one after the other, each when the one before has come back', async (t) => {
  const passages = new Passages(() => 0);
  const order: number[] = [];
  t.equal(passages.enter(INO, 1), undefined, 'the first goes on at once');
  const others = [2, 3].map((pid) => passages.enter(INO, pid)!.then(() => order.push(pid)));
  passages.leave(INO, 1);
  await others[0];
  t.same(order, [2]);
  passages.leave(INO, 2);
  await others[1];
  t.same(order, [2, 3]);
});

t.test('a caller that asks again on its way does not wait, and keeps what it was given', async (t) => {
  const passages = new Passages(() => 0);
  const document = new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness: 'live' });
  const table = new NodeTable(new MapDir(new Map()));
  const ref = table.refer(table.root, 'talk', document);
  passages.enter(INO, 1);
  passages.give(INO, 1, ref);
  const second = passages.enter(INO, 2);
  t.equal(passages.enter(INO, 1), undefined);
  t.equal(passages.given(INO, 1), ref);
  t.ok(passages.isGiven(INO, ref));
  passages.leave(INO, 1);
  await second;
  t.equal(passages.given(INO, 1), undefined);
  t.notOk(passages.isGiven(INO, ref));
});

t.test('one that does not come back holds the others up for a moment only', async (t) => {
  const passages = new Passages(() => 0);
  passages.enter(INO, 1);
  await Promise.all([2, 3, 4].map(async (pid) => passages.enter(INO, pid)));
  t.pass('all went on');
});

t.test('callers that cannot be told apart never wait', async (t) => {
  const passages = new Passages(() => 0);
  passages.enter(INO, 1);
  t.equal(passages.enter(INO, 0), undefined);
});
