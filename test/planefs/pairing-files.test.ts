import t from 'tap';
import { systemClock } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { pairingDir } from '../../lib/planefs/pairing-dir.js';
import { walk, type Op } from '../../lib/vfs/index.js';
import { storeFor } from '../support/store.js';
import { READ, WRITE, readAll } from '../support/test-node.js';

const opOf = (id: string): Op => ({
  session: localSession('admin', null, id),
  signal: new AbortController().signal,
});

t.test('each admin session has its own last outcome, which another one does not touch', async (t) => {
  let nowMs = Date.now();
  const { store } = storeFor(t, { clock: { ...systemClock, now: () => nowMs } });
  const dir = pairingDir(store);
  const [one, other] = [opOf('one'), opOf('other')];
  const look = async (name: string, op: Op): Promise<{ text: string; mtimeNs: bigint }> => {
    const file = await walk(dir, `/${name}`, op);
    if (file.kind !== 'file') throw new TypeError(`${name} is no file`);
    const handle = await file.open(READ, op);
    const text = await readAll(handle, op);
    await handle.release();
    return { text, mtimeNs: (await file.stat(op)).mtimeNs };
  };
  const write = async (name: string, text: string, op: Op): Promise<void> => {
    const file = await walk(dir, `/${name}`, op);
    if (file.kind !== 'file') throw new TypeError(`${name} is no file`);
    const handle = await file.open(WRITE, op);
    try {
      await handle.write(0, Buffer.from(text), op);
    } finally {
      await handle.release();
    }
  };
  await write('invites/create.json', '{}', one);
  const made = await look('last_result.json', one);
  t.match(JSON.parse(made.text), { invite_token: String });
  nowMs += 1_000;
  t.same(JSON.parse((await look('last_result.json', other)).text), { state: 'idle' });
  await t.rejects(write('deny.json', '{"request_id":"none"}', other), { code: 'ENOENT' });
  t.match((await look('last_error.txt', other)).text, /^ENOENT: /);
  for (const op of [one, other, one])
    t.equal((await look('last_error.txt', op)).text === '', op === one, 'an error is shown to who caused it');
  t.same(await look('last_result.json', one), made, 'neither content nor time has moved');
  nowMs += 1_000;
  await t.rejects(write('deny.json', '{"request_id":"none"}', one), { code: 'ENOENT' });
  t.same(await look('last_result.json', one), made, 'the result stays what it was');
  t.ok((await look('last_error.txt', one)).mtimeNs > made.mtimeNs);
});
