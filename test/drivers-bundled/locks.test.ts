import { createInterface } from 'node:readline';
import t from 'tap';
import { ended, startDriver } from './run-driver.js';

interface Reply {
  id: string;
  result?: Record<string, unknown>;
  error?: { message: string };
}

function open(): {
  ask: (payload: unknown, call?: unknown) => Promise<Reply>;
  close: () => Promise<number | null>;
} {
  const child = startDriver('locks', {});
  const end = ended(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let id = 0;
  return {
    ask: async (payload, call) => {
      child.stdin.write(`${JSON.stringify({ id: String(++id), payload, call })}\n`);
      const reply = JSON.parse((await lines.next()).value as string) as Reply;
      if (reply.id !== String(id)) throw new Error(`a reply to ${reply.id} instead of ${id}`);
      return reply;
    },
    close: async () => {
      child.stdin.end();
      return (await end).code;
    },
  };
}

t.test('locks gives a lock to one, and to the next once it is released', async (t) => {
  const locks = open();
  const first = await locks.ask({ acquire: 'build' }, { agent_id: 'ada' });
  t.match(first.result, { acquired: true, token: String, holder: 'ada' });
  t.match((await locks.ask({ acquire: 'build' })).result, {
    acquired: false,
    holder: 'ada',
    token: undefined,
  });
  t.match((await locks.ask({ release: 'build', token: 'guess' })).result, { released: false });
  t.match((await locks.ask({ release: 'build', token: first.result!['token'] })).result, { released: true });
  t.match((await locks.ask({ acquire: 'build' })).result, { acquired: true });
  t.equal(await locks.close(), 0, 'end of file stops it');
});

t.test('locks renews by token, and forgets a lock whose time is over', async (t) => {
  const locks = open();
  const { result } = await locks.ask({ acquire: 'x', ttl_seconds: 60 });
  const again = await locks.ask({ acquire: 'x', token: result!['token'], ttl_seconds: 0.001 });
  t.match(again.result, { acquired: true, token: result!['token'] });
  while (((await locks.ask({ list: true })).result!['locks'] as unknown[]).length > 0);
  t.match((await locks.ask({ acquire: 'x' })).result, { acquired: true });
  await locks.close();
});

t.test('locks of one project are not seen from another', async (t) => {
  const locks = open();
  await locks.ask({ acquire: '__proto__' }, { project_id: 'a' });
  t.match((await locks.ask({ acquire: '__proto__' }, { project_id: 'b' })).result, { acquired: true });
  t.match((await locks.ask({ list: true }, { project_id: 'c' })).result, { locks: [] });
  await locks.close();
});

t.test('locks answers a bad payload with an error and goes on', async (t) => {
  const locks = open();
  for (const bad of [{ acquire: '' }, { acquire: 1 }, { release: 'x' }, { acquire: 'x', ttl_seconds: 1e9 }])
    t.match(await locks.ask(bad), { error: { message: String }, result: undefined });
  t.match((await locks.ask({ acquire: 'x' })).result, { acquired: true });
  await locks.close();
});
