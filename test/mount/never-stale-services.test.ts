import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { Onlooker, type Seen } from '../support/onlooker.js';
import { SEED } from '../support/extent.js';
import { Random } from '../support/random.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const STEPS = Number(process.env.ACHERON_STALE_STEPS ?? 40);
const READERS = 3;
const SERVICES = ['a', 'b', 'c'];

/** What a service should show. */
interface Expected {
  version: number;
  config: string;
  enabled: boolean;
  /** The payload of the last call, whose result is the answer; null before the first. */
  called: number | null;
  jobs: number;
}

const FRESH: Expected = { version: 0, config: '{}', enabled: true, called: null, jobs: 0 };

// fuse-native has the kernel keep nothing, and so separates a fault of the tree from one of the caches; but it
// does not distinguish an open descriptor from its path, so nothing is held open there.
for (const { binding, holds, steps } of [
  { binding: 'kernel', holds: true, steps: STEPS },
  { binding: 'fuse-native', holds: false, steps: STEPS / 4 },
] as const)
  t.test(
    `random changes of services are seen at once by readers in several processes: ${binding}`,
    async (t) => {
      const random = new Random(SEED);
      const up = await Up.start(t, {
        binding,
        manifests: SERVICES.map((id) => manifest(id, 0)),
        args: ['--manifest-reload-interval-ms', '0'],
      });
      const model = new Map(SERVICES.map((id) => [id, { ...FRESH }]));
      const gone = new Map<string, Expected>();
      const readers = Array.from({ length: READERS }, () => Onlooker.start(t));
      const see = async (reader: Onlooker): Promise<string> => {
        const order = {
          paths: pathsOf(up),
          namesIn: SERVICES.map((id) => up.service(id, 'jobs')),
          openFirst: random.below(2) === 0,
        };
        const held = join('..', random.of(['README.md', 'config.json', 'jobs', 'result.json', 'control']));
        return JSON.stringify(
          viewOf(up, await reader.look(holds && random.below(3) === 0 ? { ...order, hold: held } : order)),
        );
      };
      const write = async (path: string, text: string): Promise<void> =>
        void t.equal(await readers[random.below(READERS)]!.act(up.dir, ['write', path, text]), 'done', path);

      for (let step = 1; step <= steps; step++) {
        const id = random.of(SERVICES);
        const service = model.get(id);
        const at = (file: string): string => `nodes/local/services/${id}/${file}`;
        const expected = (): string => JSON.stringify(Object.fromEntries([...model].sort()));
        const context = `step ${step} (${id}), seed ${random.seed}`;
        const what = random.below(10);
        if (service === undefined || what < 2) {
          if (service !== undefined && what === 0) {
            rmSync(join(up.manifests, `${id}.json`));
            model.delete(id);
            gone.set(id, service);
          } else {
            define(up, id, step);
            // What comes back under its old name has what it had.
            model.set(id, { ...(service ?? gone.get(id)!), version: step });
          }
          await until(async () => (await see(readers[0]!)) === expected(), `the manifest, ${context}`);
        } else if (what < 5) {
          service.config = JSON.stringify({ step, text: 'x'.repeat(random.below(20)) });
          await write(at('config.json'), service.config);
        } else if (what === 5) {
          service.enabled = !service.enabled;
          await write(at(service.enabled ? 'control/enable' : 'control/disable'), 'x');
        } else if (what === 6) {
          service.called = null;
          await write(at('control/reset'), 'x');
        } else if (service.enabled) {
          service.called = step;
          service.jobs += 1;
          await write(at('control/invoke.json'), JSON.stringify({ step }));
        }
        for (const [i, reader] of readers.entries()) {
          const seen = await see(reader);
          if (seen === expected()) continue;
          t.same(JSON.parse(seen), JSON.parse(expected()), `reader ${i}, action ${what}, ${context}`);
          return;
        }
      }
      t.pass('nothing stale');
    },
  );

function manifest(id: string, version: number): ReturnType<typeof shellManifest> {
  return shellManifest(id, 'cat', {
    help_md: `# ${id} ${version}${'!'.repeat(version % 13)}`,
    kind: `kind-${version}`,
  });
}

function define(up: Up, id: string, version: number): void {
  writeFileSync(join(up.manifests, '.new'), JSON.stringify(manifest(id, version)));
  renameSync(join(up.manifests, '.new'), join(up.manifests, `${id}.json`));
}

const FILES = ['README.md', 'SERVICE.json', 'config.json', 'result.json', 'health.json'];

function pathsOf(up: Up): string[] {
  return SERVICES.flatMap((id) => [
    ...FILES.map((file) => up.service(id, file)),
    up.service(id, 'jobs/latest/request.json'),
    join(up.dir, 'nodes/local', id, 'README.md'),
  ]);
}

/** What was seen, in the model's terms; what does not agree with itself is shown as it is. */
function viewOf(up: Up, seen: Record<string, Seen>): Record<string, unknown> {
  const view: Record<string, unknown> = {};
  for (const id of SERVICES) {
    const at = (file: string): Seen => seen[up.service(id, file)]!;
    const root = seen[join(up.dir, 'nodes/local', id, 'README.md')]!;
    if (at('README.md') === 'error: ENOENT' && root === 'error: ENOENT') continue;
    const [version, rooted, kind] = [at('README.md'), root, json(at('SERVICE.json')).kind].map((text) =>
      Number(/(?:# . |kind-)(\d+)/.exec(String(text))?.[1]),
    );
    const jobs = textOf(at('jobs'))
      .split(' ')
      .filter((name) => name !== 'by-key' && name !== 'latest');
    const { step = null } = json(at('result.json'));
    const newest = json(at('jobs/latest/request.json')).step ?? null;
    view[id] = {
      version: version === rooted && version === kind ? version : { version, rooted, kind },
      config: JSON.stringify(json(at('config.json'))),
      enabled: json(at('health.json')).enabled,
      // A reset takes the result and leaves the jobs.
      called: step === null || step === newest ? step : { step, newest },
      jobs: jobs.length,
    };
  }
  return view;
}

function textOf(seen: Seen): string {
  return typeof seen === 'string' ? seen : JSON.stringify(seen);
}

function json(seen: Seen): Record<string, unknown> {
  try {
    return JSON.parse(textOf(seen).replace(/^\d+ \d+ /, '')) as Record<string, unknown>;
  } catch {
    return { unreadable: seen };
  }
}
