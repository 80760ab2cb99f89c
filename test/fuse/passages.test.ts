import t from 'tap';
import { NodeTable, type NodeRef } from '../../lib/fuse/kernel-door/node-table.js';
import { Passages } from '../../lib/fuse/kernel-door/passages.js';
import { Document, MapDir } from '../../lib/vfs/index.js';

const INO = 7n;
/** More than may be under way at a time; no process has such a number. */
const CROWD = Array.from({ length: 24 }, (_, i) => 8_000_000 + i);

function nodeRef(): NodeRef {
  const document = new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness: 'live' });
  const table = new NodeTable(new MapDir(new Map()));
  return table.refer(table.root, 'talk', document);
}

const never = new AbortController().signal;

/** As many are under way as may be. @returns who they are. */
function amidCrowd(passages: Passages): number[] {
  return CROWD.filter((pid) => passages.enter(INO, pid));
}

t.test('a few find nodes of their own at once, all others what is there, and none waits', async (t) => {
  const passages = new Passages();
  const few = amidCrowd(passages);
  t.ok(few.length > 1 && few.length < CROWD.length, `${few.length} are under way`);
  t.same(few, CROWD.slice(0, few.length));
  t.equal(passages.enter(INO, few[0]!), true, 'and may ask again');
});

t.test('once one comes back to what it found the next may go', async (t) => {
  const passages = new Passages();
  const [first] = amidCrowd(passages);
  t.equal(passages.enter(INO, 1), false);
  passages.leave(INO, first!);
  t.equal(passages.enter(INO, 1), true);
});

t.test('who opens what is not its own is sent back in turn, and then is under way', async (t) => {
  const passages = new Passages();
  const few = amidCrowd(passages);
  const order: number[] = [];
  const turns = [2, 3].map((pid) => passages.waitTurn(INO, pid, never)!.then(() => order.push(pid)));
  t.equal(passages.enter(INO, 4), false, 'nobody overtakes them');
  passages.leave(INO, few[0]!);
  await turns[0];
  t.same(order, [2]);
  t.equal(passages.enter(INO, 2), true);
  t.equal(passages.leave(INO, 2), true, 'it had been sent back');
  await turns[1];
  t.same(order, [2, 3]);
});

t.test('where few are under way who opens what is not its own is sent back at once', async (t) => {
  const passages = new Passages();
  t.equal(passages.waitTurn(INO, 1, never), undefined);
  t.equal(passages.leave(INO, 1), true);
  t.equal(passages.leave(INO, 1), false, 'once');
});

t.test('who gives up its open waits no longer, and takes nobody’s turn', async (t) => {
  const passages = new Passages();
  const few = amidCrowd(passages);
  const abort = new AbortController();
  const turn = passages.waitTurn(INO, 2, abort.signal)!;
  const next = passages.waitTurn(INO, 3, never)!;
  abort.abort();
  await t.rejects(turn);
  passages.leave(INO, few[0]!);
  await next;
  t.equal(passages.enter(INO, 2), false);
});

t.test('where nobody comes back the others go on after a while', async () => {
  const passages = new Passages();
  amidCrowd(passages);
  await Promise.all(CROWD.map(async (pid) => passages.waitTurn(INO, pid + 100, never)));
});

t.test('nobody goes in place of one that is only slow to come back; of one that died at once', async (t) => {
  let nowMs = 0;
  const passages = new Passages(() => nowMs);
  const slow = process.pid;
  t.equal(passages.waitTurn(INO, slow, never), undefined);
  const few = amidCrowd(passages);
  t.ok(few.length > 0, 'and some whose processes are no more, or never were');
  nowMs = 200;
  const room = amidCrowd(passages);
  t.equal(room.length, few.length, 'theirs is free, the place of the slow one is not');
  nowMs = 10_000;
  t.equal(amidCrowd(passages).length, few.length + 1, 'which nobody keeps for ever');
});

t.test('who lists or asks for attributes is given nothing of its own until it opens', async (t) => {
  let nowMs = 0;
  const passages = new Passages(() => nowMs);
  passages.look(1);
  t.equal(passages.enter(INO, 1), false);
  t.equal(passages.enter(INO, 2), true, 'others are');
  passages.waitTurn(INO, 1, never);
  t.equal(passages.enter(INO, 1), true);
  passages.leave(INO, 1);
  passages.look(1);
  nowMs = 5000;
  t.equal(passages.enter(INO, 1), true, 'nor for ever');
});

t.test('what a caller was given stays its own until it comes back', async (t) => {
  const passages = new Passages();
  const ref = nodeRef();
  passages.enter(INO, 1);
  passages.give(INO, 1, ref);
  passages.enter(INO, 1);
  t.equal(passages.given(INO, 1), ref);
  t.ok(passages.isGiven(INO, ref));
  passages.leave(INO, 1);
  t.equal(passages.given(INO, 1), undefined);
  t.notOk(passages.isGiven(INO, ref));
});

t.test('while others are under way what was reached last is shown', async (t) => {
  const passages = new Passages();
  const ref = nodeRef();
  passages.enter(INO, 1);
  passages.give(INO, 1, ref);
  passages.enter(INO, 2);
  passages.leave(INO, 1);
  t.equal(passages.shown(INO), ref);
});

t.test('who wanted no more than the name is soon forgotten, who was sent back later', async (t) => {
  let nowMs = 0;
  const passages = new Passages(() => nowMs);
  const [looked, sentBack] = [nodeRef(), nodeRef()];
  passages.enter(INO, 1);
  passages.give(INO, 1, looked);
  passages.waitTurn(INO, 2, never);
  passages.give(INO, 2, sentBack);
  nowMs = 1000;
  passages.enter(INO, 3);
  t.notOk(passages.isGiven(INO, looked));
  t.ok(passages.isGiven(INO, sentBack));
  nowMs = 60_000;
  passages.enter(INO, 3);
  t.notOk(passages.isGiven(INO, sentBack));
});

t.test('a glance is told from what somebody has open, once', async (t) => {
  const passages = new Passages();
  const ref = nodeRef();
  passages.glance(1, ref);
  t.notOk(passages.endGlance(2, ref));
  t.notOk(passages.endGlance(1, nodeRef()));
  t.ok(passages.endGlance(1, ref));
  t.notOk(passages.endGlance(1, ref));
});
