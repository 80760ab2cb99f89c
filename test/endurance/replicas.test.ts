import t from 'tap';
import { ReplicaChaos } from '../replicas/replica-chaos.js';
import { noPostgres } from '../support/postgres.js';
import { Random } from '../support/random.js';

const SEED = Number(process.env['ACHERON_SEED'] ?? Date.now() % 100_000);
const FOR_MS = Number(process.env['ACHERON_CHAOS_MINUTES'] ?? 30) * 60_000;
const SAY_EVERY_MS = 60_000;
/** All kinds of faults, unless some are named: `ACHERON_CHAOS_FAULTS=disk,kill`. */
const ONLY = (process.env['ACHERON_CHAOS_FAULTS'] ?? '').split(',').filter((kind) => kind !== '');

t.test(
  '[P] three replicas lose nothing, agree, and run nothing twice, whatever fails, for long',
  { skip: noPostgres, timeout: FOR_MS + 900_000 },
  async (t) => {
    t.comment(`seed ${SEED}`);
    const options = { machines: true, nodes: 6, mounts: 3, pauseMs: 60, faultEveryMs: 2_000 };
    const chaos = new ReplicaChaos(t, new Random(SEED), options);
    chaos.history.tell = (text) => t.comment(`${new Date().toISOString()} ${text}`);
    await chaos.start();
    const said = setInterval(() => t.comment(JSON.stringify(chaos.history.counts)), SAY_EVERY_MS);
    t.teardown(() => clearInterval(said));
    t.strictSame(await chaos.run(FOR_MS, ONLY), []);
    t.comment(JSON.stringify(chaos.history.counts));
  },
);
