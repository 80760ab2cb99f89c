import { join } from 'node:path';
import t from 'tap';
import { EmbeddedLog, PostgresLog, storeAddressFrom, type ReplicatedLog } from '../../lib/cluster/index.js';
import { silentLog } from '../../lib/core/index.js';
import { replicatedLogSuite } from '../suites/replicated-log.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { temporaryDir } from '../support/store.js';

t.test('the log in a file', async (t) => {
  const path = join(temporaryDir(t), 'log.db');
  replicatedLogSuite(t, async () => closedAfter(t, new EmbeddedLog(path)));
});

t.test('the log in PostgreSQL', { skip: noPostgres }, async (t) => {
  const server = await PostgresServer.primary(t);
  const address = storeAddressFrom(PostgresServer.url(server));
  const open = () => PostgresLog.open({ address, password: undefined, log: silentLog });
  replicatedLogSuite(t, async () => closedAfter(t, await open()));

  t.test('whoever comes first makes the tables, once', async (t) => {
    const logs = await Promise.all(
      Array.from({ length: 5 }, () =>
        PostgresLog.open({
          address: storeAddressFrom(`${PostgresServer.url(server)}?schema=five`),
          password: undefined,
          log: silentLog,
        }),
      ),
    );
    t.equal(new Set(logs.map(({ logId }) => logId)).size, 1);
    for (const log of logs) await log.close();
  });

  t.test('a server whose disk is full is away until there is room, and says so', async (t) => {
    const log = closedAfter(t, await open());
    const { head } = await log.read((await log.lastSnapshot())!.seq + 1, 9);
    // What PostgreSQL says when it cannot extend a file.
    await server.query(
      `CREATE FUNCTION acheron.full() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
       CREATE TRIGGER is_full BEFORE INSERT ON acheron.log EXECUTE FUNCTION acheron.full()`,
      'acheron',
    );
    const entry = { id: 'full', data: Buffer.from('x') };
    await t.rejects(log.append(head.seq, entry), {
      code: 'EHOSTDOWN',
      message: /takes nothing: could not extend file/,
      hint: /Make room/,
    });
    await server.query('DROP FUNCTION acheron.full CASCADE', 'acheron');
    t.ok(await log.append(head.seq, entry), 'nothing was written before');
  });

  t.test('who cannot be reached is said so within seconds, and is found again', async (t) => {
    const log = closedAfter(t, await open());
    const head = (await log.lastSnapshot())!;
    const { head: before } = await log.read(head.seq + 1, 9);
    await server.kill();
    const begun = performance.now();
    await t.rejects(log.append(before.seq, { id: 'x', data: Buffer.from('x') }), { code: 'EHOSTDOWN' });
    t.ok(performance.now() - begun < 20_000);
    await server.start();
    t.strictSame((await log.read(before.seq, 1)).head, before);
    t.match(log.facts(), { host: `127.0.0.1:${server.port}`, reconnects: Number });
  });

  t.test('an entry that a server has by itself, after a crash, is not taken for written', async (t) => {
    const log = closedAfter(t, await open());
    const standby = await PostgresServer.standby(t, server);
    const { head } = await log.read((await log.lastSnapshot())!.seq + 1, 9);
    const entry = { id: 'alone', data: Buffer.from('x') };
    await standby.kill();
    await t.rejects(log.append(head.seq, entry), { code: 'EHOSTDOWN' }, 'its commit waits for the standby');
    await server.kill();
    await server.start();
    t.equal(await log.idAt(head.seq + 1), entry.id, 'recovery has made it');
    await t.rejects(log.append(head.seq, entry), { code: 'EHOSTDOWN' }, 'asked again it still waits');
    await standby.start();
    t.ok(await log.append(head.seq, entry), 'on two machines it is written');
  });
});

function closedAfter(
  t: { teardown(callback: () => Promise<void>): void },
  log: ReplicatedLog,
): ReplicatedLog {
  t.teardown(() => log.close());
  return log;
}
