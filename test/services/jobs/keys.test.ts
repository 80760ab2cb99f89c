import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_JOB_LIMITS } from '../../../lib/services/index.js';
import { ADMIN, TestNode, USER, errnoOf, shellManifest, temporaryDir } from '../../support/test-node.js';

const BIG = `head -c 300000 /dev/zero | tr '\\0' x | sed 's/^/{"x":"/; s/$/"}/'`;

/** A service that writes a line to `runs` each time that it runs. */
function counting(serviceId: string, runs: string, script: string): ReturnType<typeof shellManifest> {
  return shellManifest(serviceId, `input=$(cat); echo "$input" >> ${runs}; ${script}`);
}

const runsIn = (file: string): number => readFileSync(file, 'utf8').trim().split('\n').length;

t.test(
  'a key whose call failed is known after 100 large results and a restart, and its driver does not run again [P]',
  async (t) => {
    const runs = join(temporaryDir(t), 'runs');
    const node = await TestNode.start(t, [
      counting('s', runs, `case $input in *fail*) echo broken >&2; exit 3;; *) ${BIG};; esac`),
    ]);
    const path = node.path('s', 'control/invoke.json');
    t.equal(await errnoOf(() => node.write(path, '{"_key":"k","fail":1}')), 'EIO');
    for (let n = 0; n < 100; n++) await node.write(path, '{"n":1}');
    await node.restart();
    t.equal(await errnoOf(() => node.write(path, '{"_key":"k","fail":1}')), 'EIO', 'the same failure');
    t.equal(runsIn(runs), 101, 'nothing ran again');
    t.same(await node.names(node.path('s', 'jobs/by-key')), ['k']);
    t.match(await node.read(node.path('s', 'jobs/by-key/k/last_error.txt')), /^EIO: .*3/);
    t.match(await node.json(node.path('s', 'jobs/by-key/k/status.json')), { state: 'error', errno: 'EIO' });
  },
);

t.test(
  'a key whose call slept while 20 large calls passed is known after 66 more and a restart [P]',
  async (t) => {
    const dir = temporaryDir(t);
    const runs = join(dir, 'runs');
    const gate = join(dir, 'gate');
    const node = await TestNode.start(t, [
      counting(
        's',
        runs,
        `case $input in *slow*) while [ ! -e ${gate} ]; do sleep 0.02; done; echo '{"slept":true}';; *) ${BIG};; esac`,
      ),
    ]);
    const path = node.path('s', 'control/invoke.json');
    const slow = node.write(path, '{"_key":"k","slow":1}');
    for (let n = 0; n < 20; n++) await node.write(path, '{"n":1}');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(gate, '');
    await slow;
    for (let n = 0; n < 66; n++) await node.write(path, '{"n":1}');
    t.same(
      await node.json(node.path('s', 'jobs/by-key/k/result.json')),
      { slept: true },
      'before the restart',
    );
    await node.restart();
    await node.write(path, '{"_key":"k","slow":1}');
    t.equal(runsIn(runs), 87, 'nothing ran again');
    t.same(await node.json(node.path('s', 'jobs/by-key/k/result.json')), { slept: true });
    t.equal(await errnoOf(() => node.write(path, '{"_key":"k","slow":2}')), 'EEXIST');
    t.same(await node.names(node.path('s', 'jobs/by-key'), USER), [], 'keys are their own principal’s');
  },
);

t.test('what is shown as the last outcome survives a restart though its job was removed', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest('s', `read -r input; case $input in *fail*) exit 3;; *) ${BIG};; esac`),
  ]);
  const path = node.path('s', 'control/invoke.json');
  t.equal(await errnoOf(() => node.write(path, '{"fail":1}', USER)), 'EIO');
  const [id] = (await node.names(node.path('s', 'jobs'), USER)).filter((name) => /^[0-9a-z]{10}/i.test(name));
  const job = node.node.host.dir('s')!.service.jobs.find(id!)!;
  node.node.host.dir('s')!.service.forgetJob(job, USER);
  for (let n = 0; n < 100; n++) await node.write(path, '{"n":1}', ADMIN);
  await node.restart();
  t.match(await node.json(node.path('s', 'status.json'), USER), { state: 'error', invocation_id: id });
});

t.test(
  'a principal has so many keys of a service; the next is refused with the time when it is taken',
  async (t) => {
    const node = await TestNode.start(t, [shellManifest('s', 'cat')], {
      jobLimits: { ...DEFAULT_JOB_LIMITS, maxKeys: 3 },
    });
    const path = node.path('s', 'control/invoke.json');
    for (const n of [1, 2, 3]) await node.write(path, `{"_key":"k${n}"}`);
    t.equal(await errnoOf(() => node.write(path, '{"_key":"k4"}')), 'EBUSY');
    t.match(await node.read(node.path('s', 'last_error.txt')), /the oldest go at \d{4}-/);
    await node.write(path, '{"_key":"k1"}');
    await node.write(path, '{}');
    await node.write(path, '{"_key":"k4"}', USER);
    await node.restart();
    t.equal(await errnoOf(() => node.write(path, '{"_key":"k4"}')), 'EBUSY', 'also after a restart');
  },
);
