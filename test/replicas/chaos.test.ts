import t from 'tap';
import { noPostgres } from '../support/postgres.js';
import { Random } from '../support/random.js';
import { ReplicaChaos } from './replica-chaos.js';

const SEED = Number(process.env['ACHERON_SEED'] ?? 16);
const FOR_MS = 8_000;

t.setTimeout(300_000);

t.test(
  '[P] three replicas lose nothing, agree, and run nothing twice, whatever fails',
  { skip: noPostgres, timeout: 300_000 },
  async (t) => {
    t.comment(`seed ${SEED}`);
    const options = { machines: false, nodes: 1, mounts: 1, pauseMs: 20, faultEveryMs: 500 };
    const chaos = new ReplicaChaos(t, new Random(SEED), options);
    await chaos.start();
    t.strictSame(await chaos.run(FOR_MS), []);
    const { counts, created, written } = chaos.history;
    t.comment(JSON.stringify(counts));
    t.ok(created.size > 5 && written.length > 1, 'it has done something meanwhile');
  },
);
