import t from 'tap';
import { FsError, silentLog } from '../../lib/core/index.js';
import { SnapshotKeeper } from '../../lib/control/store/replica/snapshot-keeper.js';
import { ReplicatedStores } from '../support/replicas.js';
import { temporaryDir } from '../support/store.js';
import { until } from '../support/until.js';

t.test('snapshots keep the log short, and start who comes new', async (t) => {
  const replicas = new ReplicatedStores(t);
  const stateDir = temporaryDir(t);
  const one = await replicas.add({ stateDir });
  const { replica } = one.replicas!;
  const keeper = new SnapshotKeeper(replica, { stateDir, log: silentLog, every: 5, lookEveryMs: 10 });
  t.teardown(() => keeper.close());
  const make = async (from: number): Promise<void> => {
    for (let n = from; n < from + 6; n++) await one.commit(() => one.projects.create(`p${n}`, {}, false));
  };
  await make(0);
  await until(async () => (await replica.log.lastSnapshot()) !== undefined, 'the first snapshot');
  await make(6);
  await until(
    () =>
      replica.log.read(0, 1).then(
        () => false,
        (thrown: unknown) => FsError.from(thrown).code === 'EOVERFLOW',
      ),
    'what is before it to go',
  );
  const other = await replicas.add();
  t.equal(other.projects.list().length, 12);
  t.strictSame(other.events.recent(99), one.events.recent(99));
  await other.commit(() => other.projects.create('more', {}, false));
  await until(() => one.projects.get('more') !== undefined);
});
