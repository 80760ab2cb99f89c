import t from 'tap';
import { ReplicaChaos } from '../replicas/replica-chaos.js';
import { noPostgres } from '../support/postgres.js';
import { Random } from '../support/random.js';

const SEED = Number(process.env['ACHERON_SEED'] ?? Date.now() % 100_000);
const FOR_MS = Number(process.env['ACHERON_CHAOS_MINUTES'] ?? 30) * 60_000;

t.test(
  '[P] three replicas lose nothing, and agree, whatever fails, for long',
  { skip: noPostgres, timeout: FOR_MS + 300_000 },
  async (t) => {
    t.comment(`seed ${SEED}`);
    const chaos = new ReplicaChaos(t, new Random(SEED));
    await chaos.start();
    const all = [
      'kill',
      'pause',
      'partition',
      'cut',
      'slow',
      'database',
      'kill',
      'pause',
      'partition',
      'promote',
    ];
    t.strictSame(await chaos.run(FOR_MS, all), []);
    t.comment(JSON.stringify(chaos.history.counts));
  },
);
