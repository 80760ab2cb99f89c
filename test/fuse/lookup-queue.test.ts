import t from 'tap';
import { InodeTable, type NodeRef } from '../../lib/fuse/vfs-bridge/inode-table.js';
import { LookupQueue } from '../../lib/fuse/vfs-bridge/lookup-queue.js';
import { Document, MapDir } from '../../lib/vfs/index.js';

const INO = 7n;
/** More than may be under way at a time; no process has such a number. */
const CROWD = Array.from({ length: 24 }, (_, i) => 8_000_000 + i);

function nodeRef(): NodeRef {
  const document = new Document(() => ({ bytes: Buffer.from('x'), mtimeNs: 0n }), { freshness: 'live' });
  const table = new InodeTable(new MapDir(new Map()));
  return table.refer(table.root, 'talk', document);
}

const never = new AbortController().signal;

/** As many are under way as may be. @returns who they are. */
function amidCrowd(lookups: LookupQueue): number[] {
  return CROWD.filter((pid) => lookups.enter(INO, pid));
}

t.test('a few find nodes of their own at once, all others what is there, and none waits', async (t) => {
  const lookups = new LookupQueue();
  const few = amidCrowd(lookups);
  t.ok(few.length > 1 && few.length < CROWD.length, `${few.length} are under way`);
  t.same(few, CROWD.slice(0, few.length));
  t.equal(lookups.enter(INO, few[0]!), true, 'and may ask again');
});

t.test('once one comes back to what it found the next may go', async (t) => {
  const lookups = new LookupQueue();
  const [first] = amidCrowd(lookups);
  t.equal(lookups.enter(INO, 1), false);
  lookups.leave(INO, first!);
  t.equal(lookups.enter(INO, 1), true);
});

t.test('who opens what is not its own is sent back in turn, and then is under way', async (t) => {
  const lookups = new LookupQueue();
  const few = amidCrowd(lookups);
  const order: number[] = [];
  const turns = [2, 3].map((pid) => lookups.waitTurn(INO, pid, never)!.then(() => order.push(pid)));
  t.equal(lookups.enter(INO, 4), false, 'nobody overtakes them');
  lookups.leave(INO, few[0]!);
  await turns[0];
  t.same(order, [2]);
  t.equal(lookups.enter(INO, 2), true);
  t.equal(lookups.leave(INO, 2), true, 'it had been sent back');
  await turns[1];
  t.same(order, [2, 3]);
});

t.test('where few are under way who opens what is not its own is sent back at once', async (t) => {
  const lookups = new LookupQueue();
  t.equal(lookups.waitTurn(INO, 1, never), undefined);
  t.equal(lookups.leave(INO, 1), true);
  t.equal(lookups.leave(INO, 1), false, 'once');
});

t.test('who gives up its open waits no longer, and takes nobody’s turn', async (t) => {
  const lookups = new LookupQueue();
  const few = amidCrowd(lookups);
  const abort = new AbortController();
  const turn = lookups.waitTurn(INO, 2, abort.signal)!;
  const next = lookups.waitTurn(INO, 3, never)!;
  abort.abort();
  await t.rejects(turn);
  lookups.leave(INO, few[0]!);
  await next;
  t.equal(lookups.enter(INO, 2), false);
});

t.test('where nobody comes back the others go on after a while', async () => {
  const lookups = new LookupQueue();
  amidCrowd(lookups);
  await Promise.all(CROWD.map(async (pid) => lookups.waitTurn(INO, pid + 100, never)));
});

t.test('nobody goes in place of one that is only slow to come back; of one that died at once', async (t) => {
  let nowMs = 0;
  const lookups = new LookupQueue(() => nowMs);
  const slow = process.pid;
  t.equal(lookups.waitTurn(INO, slow, never), undefined);
  const few = amidCrowd(lookups);
  t.ok(few.length > 0, 'and some whose processes are no more, or never were');
  nowMs = 200;
  const room = amidCrowd(lookups);
  t.equal(room.length, few.length, 'theirs is free, the place of the slow one is not');
  nowMs = 10_000;
  t.equal(amidCrowd(lookups).length, few.length + 1, 'which nobody keeps for ever');
});

t.test('who lists or asks for attributes is given nothing of its own until it opens', async (t) => {
  let nowMs = 0;
  const lookups = new LookupQueue(() => nowMs);
  lookups.look(1);
  t.equal(lookups.enter(INO, 1), false);
  t.equal(lookups.enter(INO, 2), true, 'others are');
  lookups.waitTurn(INO, 1, never);
  t.equal(lookups.enter(INO, 1), true);
  lookups.leave(INO, 1);
  lookups.look(1);
  nowMs = 5000;
  t.equal(lookups.enter(INO, 1), true, 'nor for ever');
});

t.test('what a caller was given stays its own until it comes back', async (t) => {
  const lookups = new LookupQueue();
  const ref = nodeRef();
  lookups.enter(INO, 1);
  lookups.give(INO, 1, ref);
  lookups.enter(INO, 1);
  t.equal(lookups.given(INO, 1), ref);
  t.ok(lookups.isGiven(INO, ref));
  lookups.leave(INO, 1);
  t.equal(lookups.given(INO, 1), undefined);
  t.notOk(lookups.isGiven(INO, ref));
});

t.test('while others are under way what was reached last is shown', async (t) => {
  const lookups = new LookupQueue();
  const ref = nodeRef();
  lookups.enter(INO, 1);
  lookups.give(INO, 1, ref);
  lookups.enter(INO, 2);
  lookups.leave(INO, 1);
  t.equal(lookups.shown(INO), ref);
});

t.test('who wanted no more than the name is soon forgotten, who was sent back later', async (t) => {
  let nowMs = 0;
  const lookups = new LookupQueue(() => nowMs);
  const [looked, sentBack] = [nodeRef(), nodeRef()];
  lookups.enter(INO, 1);
  lookups.give(INO, 1, looked);
  lookups.waitTurn(INO, 2, never);
  lookups.give(INO, 2, sentBack);
  nowMs = 1000;
  lookups.enter(INO, 3);
  t.notOk(lookups.isGiven(INO, looked));
  t.ok(lookups.isGiven(INO, sentBack));
  nowMs = 60_000;
  lookups.enter(INO, 3);
  t.notOk(lookups.isGiven(INO, sentBack));
});

t.test('what a caller was shown is kept apart from what it has open, once', async (t) => {
  const lookups = new LookupQueue();
  const ref = nodeRef();
  lookups.recordShown(1, ref);
  t.notOk(lookups.endShown(2, ref));
  t.notOk(lookups.endShown(1, nodeRef()));
  t.ok(lookups.endShown(1, ref));
  t.notOk(lookups.endShown(1, ref));
});
