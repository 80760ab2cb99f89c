import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { act, look, Onlooker, type Act, type Seen } from '../support/onlooker.js';
import { SEED } from '../support/extent.js';
import { Random } from '../support/random.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const STEPS = Number(process.env.ACHERON_STALE_STEPS ?? 120);
const READERS = 3;
/** What freshness `shared` promises of changes that others make. */
const SOON_MS = 2_000;

// The directory behind the mount is the model: what it holds, the mount shows. fuse-native has the kernel
// keep nothing, and so separates a fault of the tree from one of the caches; but it renames what is removed while
// open, so nothing is held open there.
for (const { binding, holds, steps, args = [] } of [
  { binding: 'kernel', holds: true, steps: STEPS },
  { binding: 'kernel', holds: true, steps: STEPS / 2, args: ['--no-passthrough'] },
  { binding: 'fuse-native', holds: false, steps: STEPS / 3 },
] as const)
  t.test(
    `random changes of an export are seen at once by readers in several processes: ${[binding, ...args].join(' ')}`,
    async (t) => {
      const random = new Random(SEED);
      const real = join(temporaryDir(t), 'real');
      mkdirSync(real);
      const up = await Up.start(t, { binding, args: ['--export', `data=${real}:rw`, ...args] });
      const mount = join(up.dir, 'nodes/local/fs/data');
      const readers = Array.from({ length: READERS }, () => Onlooker.start(t));
      const see = async (reader: Onlooker, hold?: string): Promise<Seen> => {
        const order = { paths: [mount], openFirst: random.below(2) === 0 };
        return (await reader.look(hold === undefined ? order : { ...order, hold }))[mount]!;
      };
      const is = (): Seen => look({ paths: [real], openFirst: false })[real]!;
      const story: string[] = [];
      let most = 0;

      for (let step = 0; step < steps; step++) {
        const change = someAct(random, step);
        const behind = random.below(6) === 0;
        const by = random.below(READERS);
        story.push(`${step}: ${behind ? 'behind the mount' : `reader ${by}`}: ${change.join(' ')}`);
        if (behind) {
          try {
            act(real, change);
          } catch {
            continue; // not possible just now
          }
          for (const reader of readers)
            await until(
              async () => same(await see(reader), is()),
              `step ${step}, seed ${random.seed}`,
              SOON_MS,
            );
          continue;
        }
        await readers[by]!.act(mount, change);
        const hold = holds && random.below(3) === 0 ? random.of(PLACES) : undefined;
        for (const reader of readers) {
          const seen = await see(reader, hold);
          most = Math.max(most, Object.keys(seen).length);
          if (same(seen, is())) continue;
          t.same(seen, is(), `step ${step}, seed ${random.seed}\n${story.slice(-12).join('\n')}`);
          return;
        }
      }
      t.ok(most > 0, 'nothing stale, and there was something to see');
    },
  );

const DIRS = ['.', 'a', 'b', 'a/c'];
const PLACES = DIRS.flatMap((dir) => ['a', 'b', 'c', 'f', 'g'].map((name) => join(dir, name)));

/** Any change of a few names, so that they meet often; many are refused, which is a case of its own. */
function someAct(random: Random, step: number): Act {
  const path = random.of(PLACES);
  const text = `${step} ${'x'.repeat(random.below(40))}`;
  switch (random.below(14)) {
    case 0:
      return ['append', path, text];
    case 1:
      return ['patch', path, text];
    case 2:
      return ['truncate', path, String(random.below(60))];
    case 3:
      return ['chmod', path, random.of(['600', '644', '755'])];
    case 4:
      return ['unlink', path];
    case 5:
      return ['rmdir', path];
    case 6:
      return ['symlink', path, `t${step}`];
    case 7:
      return ['link', path, random.of(PLACES)];
    case 8:
    case 9:
      return ['rename', path, random.of(PLACES)];
    case 10:
    case 11:
      return ['mkdir', path];
    default:
      return ['write', path, text];
  }
}

function same(a: Seen, b: Seen): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
