import t, { type Test } from 'tap';
import { PostgresLog, storeAddressFrom } from '../../lib/cluster/index.js';
import type { ControlStore } from '../../lib/control/index.js';
import { silentLog } from '../../lib/core/index.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicatedStores } from '../support/replicas.js';
import { until } from '../support/until.js';

const WRITERS = 20;
const WRITES = 15;

t.test('turns at the head of the log', { skip: noPostgres }, async (t) => {
  const server = await PostgresServer.primary(t);

  /** Three replicas over a log of their own. */
  const threeStores = async (t: Test, schema: string) => {
    const address = storeAddressFrom(`${PostgresServer.url(server)}?schema=${schema}`);
    const openLog = () => PostgresLog.open({ address, password: undefined, log: silentLog });
    const replicas = new ReplicatedStores(t, openLog);
    const stores = [await replicas.add(), await replicas.add(), await replicas.add()];
    return { openLog, stores };
  };

  t.test('of many who write at three replicas none fails, few are worked out twice, one order', async (t) => {
    const { stores } = await threeStores(t, 'many');
    let tries = 0;
    const write = async (store: ControlStore): Promise<void> => {
      for (let n = 0; n < WRITES; n++)
        await store.commit(() => {
          tries++;
          store.events.append('pairing', null, {});
        });
    };
    await Promise.all(stores.flatMap((store) => Array.from({ length: WRITERS }, () => write(store))));
    const works = stores.length * WRITERS * WRITES;
    await until(() => stores.every((store) => store.events.head === works));
    for (const store of stores) t.strictSame(store.events.recent(999), stores[0]!.events.recent(999));
    const [conflicts, appends, turns] = [
      countOf(stores, 'conflicts'),
      countOf(stores, 'appends'),
      countOf(stores, 'turns'),
    ];
    t.comment(
      `${appends} entries, ${turns} turns, ${conflicts} came second, ${works} works were run ${tries} times`,
    );
    t.ok(turns > 0, 'they took turns');
    t.ok(conflicts <= 3 + appends / 10, 'few came second');
  });

  t.test('who writes alone takes no turns', async (t) => {
    const { stores } = await threeStores(t, 'alone');
    const [one] = stores as [ControlStore];
    for (let n = 0; n < 5; n++) await one.commit(() => one.events.append('pairing', null, {}));
    t.equal(countOf(stores, 'turns'), 0);
    t.equal(countOf(stores, 'conflicts'), 0);
  });

  t.test(
    'one that says nothing while it has the turn holds up the others for a moment, and does no harm',
    async (t) => {
      const { openLog, stores } = await threeStores(t, 'silent');
      const [one, other] = stores as [ControlStore, ControlStore];
      const silent = await openLog();
      t.teardown(() => silent.close());
      const { head } = await silent.read(0, 99);
      const turn = (await silent.beginTurn(head.seq, 9))!;
      t.strictSame(turn.head, head);
      const begun = performance.now();
      await Promise.all(
        [one, other].map((store) => store.commit(() => store.events.append('pairing', null, {}))),
      );
      t.ok(performance.now() - begun < 3_000, 'less than a lease');
      t.equal(
        await turn.append(head.seq, { id: 'late', data: Buffer.from('x') }),
        false,
        'it finds that it lost its turn',
      );
      await turn.end();
      await until(() => stores.every((store) => store.events.head === 2));
      await one.commit(() => one.events.append('pairing', null, {}));
      t.equal(one.events.head, 3);
    },
  );

  t.test(
    'one that was busy for longer than a turn may last loses that, and not its other connections',
    async (t) => {
      const { openLog } = await threeStores(t, 'busy');
      const busy = await openLog();
      t.teardown(() => busy.close());
      for (let n = 0; n < 3; n++) {
        const { head } = await busy.read(0, 99);
        const turn = (await busy.beginTurn(head.seq, 9))!;
        const untilMs = performance.now() + 1_500;
        while (performance.now() < untilMs);
        // The server has ended the session meanwhile: it was written by itself, or it is asked for again.
        const id = `busy-${n}`;
        const entry = { id, data: Buffer.from('x') };
        const isWritten = await turn.append(head.seq, entry).catch(() => busy.append(head.seq, entry));
        t.equal(isWritten, true);
        t.equal(await busy.idAt(head.seq + 1), id);
      }
      t.equal(busy.facts().reconnects, 0);
    },
  );

  t.test('a turn ends with its connection', async (t) => {
    const { openLog } = await threeStores(t, 'lost');
    const [lost, next] = [await openLog(), await openLog()];
    t.teardown(() => next.close());
    const { head } = await next.read(0, 99);
    t.ok(await lost.beginTurn(head.seq, 9));
    const waiting = next.beginTurn(head.seq, 9);
    await lost.close();
    const turn = (await waiting)!;
    t.strictSame(turn.head, head);
    t.equal(await turn.append(head.seq, { id: 'next', data: Buffer.from('x') }), true);
  });
});

function countOf(stores: readonly ControlStore[], name: 'appends' | 'conflicts' | 'turns'): number {
  return stores.reduce((sum, { replicas }) => sum + replicas!.replica.counts[name], 0);
}
