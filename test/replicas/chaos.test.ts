import t from 'tap';
import { noPostgres } from '../support/postgres.js';
import { Random } from '../support/random.js';
import { ReplicaChaos } from './replica-chaos.js';

const SEED = Number(process.env['ACHERON_SEED'] ?? 16);

t.test(
  '[P] three replicas lose nothing, and agree, whatever fails',
  { skip: noPostgres, timeout: 180_000 },
  async (t) => {
    t.comment(`seed ${SEED}`);
    const chaos = new ReplicaChaos(t, new Random(SEED));
    await chaos.start();
    const faults = await chaos.run(12_000, ['kill', 'pause', 'partition', 'cut', 'database', 'promote']);
    t.strictSame(faults, []);
    const { counts, created, written } = chaos.history;
    t.comment(JSON.stringify(counts));
    t.ok(created.size > 20 && written.length > 5, 'it has done something meanwhile');
  },
);
