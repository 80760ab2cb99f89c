import t from 'tap';
import { NodeTable } from '../../lib/fuse/kernel-door/node-table.js';
import { Passages } from '../../lib/fuse/kernel-door/passages.js';
import { Document, MapDir } from '../../lib/vfs/index.js';

const INO = 7n;

/** A crowd is on its way: of fewer none would have to wait. */
function amidCrowd(nowMs?: () => number): Passages {
  const passages = new Passages(nowMs);
  for (let pid = 1000; pid < 1024; pid++) passages.enter(INO, pid);
  return passages;
}

/** `pid` asks so often that it must be going in circles. */
function askOften(passages: Passages, pid: number): void {
  for (let i = 0; i < 10; i++) passages.enter(INO, pid);
}

t.test('callers that drive nobody in circles do not wait', async (t) => {
  const passages = new Passages();
  for (const pid of [1, 2, 3]) t.equal(passages.enter(INO, pid), undefined);
});

t.test('a few wait for nobody, however often they ask', async (t) => {
  const passages = new Passages();
  askOften(passages, 1);
  t.equal(passages.enter(INO, 2), undefined);
});

t.test('those who drive each other in circles go one after the other', async (t) => {
  const passages = amidCrowd();
  const order: number[] = [];
  askOften(passages, 1);
  t.equal(passages.enter(INO, 1), undefined, 'the first to be seen in circles goes on');
  const others = [2, 3].map((pid) => passages.enter(INO, pid)!.then(() => order.push(pid)));
  passages.leave(INO, 1);
  await others[0];
  t.same(order, [2]);
  passages.leave(INO, 2);
  await others[1];
  t.same(order, [2, 3]);
});

t.test('what a caller was given stays its own until it comes back', async (t) => {
  const passages = new Passages();
  const document = new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness: 'live' });
  const table = new NodeTable(new MapDir(new Map()));
  const ref = table.refer(table.root, 'talk', document);
  passages.enter(INO, 1);
  passages.give(INO, 1, ref);
  passages.enter(INO, 1);
  t.equal(passages.given(INO, 1), ref);
  t.ok(passages.isGiven(INO, ref));
  passages.leave(INO, 1);
  t.equal(passages.given(INO, 1), undefined);
  t.notOk(passages.isGiven(INO, ref));
});

t.test('who asks again waits as well, as long as it is not its turn', async (t) => {
  const passages = amidCrowd();
  t.equal(passages.enter(INO, 2), undefined);
  askOften(passages, 1);
  const again = passages.enter(INO, 2);
  t.ok(again !== undefined);
  passages.leave(INO, 1);
  await again;
  t.equal(passages.enter(INO, 2), undefined, 'and no longer once it is');
});

t.test(
  'where nobody comes back in time the last to ask goes first, then more, and at last nobody waits',
  async (t) => {
    const passages = amidCrowd();
    const order: number[] = [];
    askOften(passages, 1);
    await Promise.all([2, 3, 4, 5].map((pid) => passages.enter(INO, pid)!.then(() => order.push(pid))));
    t.same(order, [5, 3, 4, 2]);
    t.equal(passages.enter(INO, 6), undefined);
  },
);

t.test('a caller that was lost long ago is forgotten', async (t) => {
  let nowMs = 0;
  const passages = amidCrowd(() => nowMs);
  askOften(passages, 1);
  passages.enter(INO, 2);
  nowMs = 60_000;
  t.equal(passages.enter(INO, 3), undefined);
});

t.test('callers that cannot be told apart never wait', async (t) => {
  const passages = amidCrowd();
  askOften(passages, 1);
  passages.enter(INO, 2);
  t.equal(passages.enter(INO, 0), undefined);
});
