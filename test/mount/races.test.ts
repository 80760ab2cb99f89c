import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { look } from '../support/onlooker.js';
import { SEED } from '../support/extent.js';
import { Random } from '../support/random.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

// Callers of mkdir, rmdir, unlink and rename hold the directory's lock while they are answered, and the
// kernel takes the same lock to hear that a name is void: both at once, from many sides, is what a bridge
// that notifies at the wrong moment does not survive.

const MS = Number(process.env.ACHERON_RACE_MS ?? 1000);
const HAMMER = fileURLToPath(new URL('../support/hammer-program.js', import.meta.url));
/** What none of it may end with. */
const FAULTS = ['EIO', 'ENOSYS', 'ENOTCONN', 'ECONNABORTED', 'ETIMEDOUT', 'EINTR', 'ECANCELED', 'EBADF'];

/** @throws Error where a process does not end in time: it hangs in the kernel. */
async function hammer(roots: readonly string[], names: readonly string[], random: Random): Promise<Ends> {
  const all: Ends = {};
  const runs = roots.map((root) =>
    promisify(execFile)(
      process.execPath,
      [HAMMER, root, String(random.below(2 ** 31)), String(MS), ...names],
      { env: cleanEnvironment(), timeout: MS + 20_000, killSignal: 'SIGKILL' },
    ),
  );
  for (const { stdout } of await Promise.all(runs)) {
    for (const [end, count] of Object.entries(JSON.parse(stdout) as Ends)) all[end] = (all[end] ?? 0) + count;
  }
  return all;
}
type Ends = Record<string, number>;

function faultsOf(ends: Ends): string[] {
  return FAULTS.filter((code) => code in ends);
}

t.test('an export that many change at once, through the mount and behind it', async (t) => {
  const random = new Random(SEED);
  const real = join(temporaryDir(t), 'real');
  mkdirSync(real);
  const up = await Up.start(t, { binding: 'kernel', args: ['--export', `data=${real}:rw`] });
  const mount = join(up.dir, 'nodes/local/fs/data');
  const ends = await hammer([mount, mount, mount, mount, real], ['a', 'b', 'c', 'd'], random);
  t.comment(JSON.stringify(ends));
  t.same(faultsOf(ends), []);
  t.ok(ends.done! > 100, 'it was busy');
  const shown = (root: string): string => JSON.stringify(look({ paths: [root], openFirst: false })[root]);
  await until(
    () => shown(mount) === shown(real),
    `the mount to show what is there, seed ${random.seed}`,
    4000,
  );
  t.equal(await up.stop(), 0, 'and it ends as ever');
});

t.test('services that come and go under callers who hold the directory', async (t) => {
  const random = new Random(SEED);
  const ids = ['a', 'b', 'c', 'd'];
  const up = await Up.start(t, {
    binding: 'kernel',
    manifests: [shellManifest('a', 'cat')],
    args: ['--manifest-reload-interval-ms', '0'],
  });
  let over = false;
  const hammering = hammer([up.service(''), up.service('')], ids, random).finally(() => (over = true));
  let changes = 0;
  for (; !over; changes++) {
    const id = random.of(ids);
    const file = join(up.manifests, `${id}.json`);
    if (random.below(2) === 0) rmSync(file, { force: true });
    else {
      const help_md = `# ${id} ${changes}`;
      writeFileSync(join(up.manifests, '.new'), JSON.stringify(shellManifest(id, 'cat', { help_md })));
      renameSync(join(up.manifests, '.new'), file);
    }
    // Each change is to arrive by itself, as far as it does while they hammer.
    await until(
      async () =>
        (await readdir(up.service(''))).includes(id) === readdirSync(up.manifests).includes(`${id}.json`),
      'the service',
      5000,
    );
  }
  const ends = await hammering;
  t.comment(`${changes} changes`, JSON.stringify(ends));
  t.same(faultsOf(ends), []);
  t.ok(changes > 2, 'it was busy');
  for (const id of ids) {
    const manifest = await readFile(join(up.manifests, `${id}.json`), 'utf8').catch(() => undefined);
    const expected = manifest && (JSON.parse(manifest) as { help_md: string }).help_md;
    await until(
      async () =>
        (await readFile(up.service(id, 'README.md'), 'utf8').catch(() => undefined))?.includes(
          expected ?? '',
        ) === (expected !== undefined || undefined),
      `${id} to be as its manifest says`,
    );
  }
  t.equal(await up.stop(), 0, 'and it ends as ever');
});
