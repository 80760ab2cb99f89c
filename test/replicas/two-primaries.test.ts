import t, { type Test } from 'tap';
import { PostgresLog, storeAddressFrom, type LineageMemory } from '../../lib/cluster/index.js';
import { silentLog } from '../../lib/core/index.js';
import { LineageFile } from '../../lib/control/store/replica/lineage-file.js';
import type { Finding } from '../../lib/doctor/index.js';
import { acheron } from '../support/acheron.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { temporaryDir } from '../support/store.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

const data = Buffer.from('x');

async function openLog(
  t: Test,
  servers: readonly PostgresServer[],
  lineage?: LineageMemory,
): Promise<PostgresLog> {
  const address = storeAddressFrom(PostgresServer.url(...servers));
  const options = { address, password: undefined, log: silentLog };
  const log = await PostgresLog.open(lineage === undefined ? options : { ...options, lineage });
  t.teardown(() => log.close());
  return log;
}

/** What is asked while a connection changes fails for a moment. */
async function untilAt(log: PostgresLog, server: PostgresServer): Promise<void> {
  await until(async () => {
    await log.lastSnapshot().catch(() => undefined);
    return log.facts().host === `${server.host.address}:${server.port}`;
  }, 'the promoted one');
}

t.test('two databases that both take writes', { skip: noPostgres }, async (t) => {
  const old = await PostgresServer.primary(t);
  const state = temporaryDir(t);
  const fresh = await openLog(t, [old], new LineageFile(state, silentLog));
  t.ok(await fresh.append(0, { id: 'first', data }));
  const standby = await PostgresServer.standby(t, old);
  const both = await openLog(t, [old, standby]);
  t.match(both.facts(), { host: `127.0.0.1:${old.port}` });
  // An old primary that acknowledges by itself: the worst one.
  old.configure(`synchronous_standby_names = ''`);
  old.reload();
  await standby.promote();

  await t.test('doctor names the one that takes writes as well', async (t) => {
    const store = ['--store', PostgresServer.url(old, standby)];
    const { stdout } = await acheron(['doctor', '--json', '--state-dir', state, ...store]);
    t.match(
      (JSON.parse(stdout) as Finding[]).filter(({ check }) => check === 'store'),
      [
        { state: 'fine' },
        {
          state: 'broken',
          what: /takes writes as well as .*: one of them was the primary/,
          remedy: /pg_rewind/,
        },
      ],
    );
  });

  await t.test('who uses the old one goes over to the one that was promoted', async (t) => {
    await untilAt(both, standby);
    t.ok(await both.append(1, { id: 'second', data }));
    t.equal(await fresh.idAt(2), undefined, 'who knows of the old one alone has another log');
  });

  await t.test('who comes anew does too, in whatever order they are named', async (t) => {
    for (const order of [
      [old, standby],
      [standby, old],
    ]) {
      const log = await openLog(t, order, new LineageFile(state, silentLog));
      await untilAt(log, standby);
      t.equal(await log.idAt(2), 'second');
    }
  });

  await t.test(
    'who has seen the new one takes the old one for it no more, alone or after a start',
    async (t) => {
      const lineage = new LineageFile(state, silentLog);
      t.match(lineage.known, { timeline: 2 }, 'it is kept');
      await t.rejects(openLog(t, [old], lineage), {
        code: 'EHOSTDOWN',
        message: /was the primary before a failover: it is on timeline 1, the store on 2/,
        hint: /Stop it there, or make it a standby.*remove .*store-lineage\.json/,
      });
      await standby.kill();
      await t.rejects(openLog(t, [old, standby], lineage), { message: /was the primary before a failover/ });
      await standby.start();
      await untilAt(await openLog(t, [old, standby], lineage), standby);
    },
  );
});

t.test(
  'a commit whose wait for the standby somebody ends is not taken for written until the standby has it',
  { skip: noPostgres },
  async (t) => {
    const primary = await PostgresServer.primary(t);
    const standby = await PostgresServer.standby(t, primary);
    const log = await openLog(t, [primary]);
    await standby.kill();
    const entry = { id: 'alone', data };
    const appending = log.append(0, entry, { withinMs: 60_000 });
    const WAITING = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
    const ended = until(async () => (await primary.query(WAITING)).length > 0, 'the wait');
    await t.rejects(appending, { code: 'EHOSTDOWN', message: /no longer waited for its standbys/ });
    await ended;
    t.equal(await log.idAt(1), entry.id, 'the primary has it by itself');
    await t.rejects(log.append(0, entry), { code: 'EHOSTDOWN' }, 'asked again it waits');
    await standby.start();
    t.ok(await log.append(0, entry), 'on two machines it is written');
  },
);
