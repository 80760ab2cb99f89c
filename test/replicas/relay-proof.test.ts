import { randomBytes } from 'node:crypto';
import t from 'tap';
import { proveAsCalled, proveAsCaller } from '../../lib/control/index.js';
import type { FsError } from '../../lib/core/index.js';
import { memoryPair, type Message } from '../../lib/transport/index.js';

const key = randomBytes(32);
const a = { key, selfId: 'a', binding: 'of this connection' };
const b = { key, selfId: 'b', binding: 'of this connection' };

/** What came of it on both sides: who called, or why not. */
async function meet(
  caller: typeof a,
  called: typeof b,
  peerId = called.selfId,
): Promise<readonly [caller: unknown, called: unknown]> {
  const [near, far] = memoryPair();
  const codeOf = (thrown: unknown): string => (thrown as FsError).code;
  return Promise.all([
    proveAsCaller(near, caller, peerId).then(() => 'proved', codeOf),
    proveAsCalled(far, called).catch(codeOf),
  ]);
}

t.test('replicas with one key know each other', async (t) => {
  t.same(await meet(a, b), ['proved', 'a']);
});

t.test('without the key nobody is taken for a replica, on either side', async (t) => {
  const other = randomBytes(32);
  const [caller, called] = await meet({ ...a, key: other }, b);
  t.equal(called, 'EACCES');
  t.match(caller, /EACCES|EHOSTDOWN/);
});

t.test('whoever sits in between, with a connection of its own to each side, is noticed', async (t) => {
  const [caller, called] = await meet({ ...a, binding: 'of another connection' }, b);
  t.equal(called, 'EACCES');
  t.not(caller, 'proved');
});

t.test('another replica than the one that was called is not taken for it', async (t) => {
  const [caller] = await meet(a, b, 'c');
  t.equal(caller, 'EACCES');
});

t.test('what a replica has said once proves nothing another time', async (t) => {
  const [near, far] = memoryPair();
  const [tap, tapFar] = memoryPair();
  const said: Message[] = [];
  // A listener on the wire between the two.
  tapFar.receive((message) => {
    said.push(message);
    near.send(message);
  });
  near.receive((message) => tapFar.send(message));
  await Promise.all([proveAsCaller(tap, a, 'b'), proveAsCalled(far, b)]);
  const [replayed, toReplay] = memoryPair();
  for (const message of said) replayed.send(message);
  await t.rejects(proveAsCalled(toReplay, b), { code: 'EACCES' });
});

t.test('a stranger who says anything else is cut at once', async (t) => {
  for (const text of ['', '{}', '[1', '{"id":"a","to":"b","nonce":"00","mac":"00"}', 'x'.repeat(100_000)]) {
    const [near, far] = memoryPair();
    near.send(text);
    await t.rejects(proveAsCalled(far, b), { code: 'EACCES' }, text.slice(0, 20));
    t.notOk(far.open);
  }
});
