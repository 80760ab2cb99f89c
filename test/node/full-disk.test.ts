import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { walk } from '../../lib/vfs/index.js';
import { errnoOf, shellManifest, temporaryDir, TestNode, type Teardown } from '../support/test-node.js';
import { until } from '../support/until.js';

const skip = process.getuid?.() === 0 ? false : 'only root can mount a small file system';
const CAT = shellManifest('cat', 'cat');

interface Place {
  readonly node: TestNode;
  readonly disk: string;
  /** Leaves not a byte to who does not hold a reserve. */
  readonly fill: () => void;
  readonly drain: () => void;
}

async function onSmallDisk(t: Teardown, manifests = [CAT]): Promise<Place> {
  const disk = temporaryDir(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'acheron-test', disk]);
  t.teardown(() => execFileSync('umount', ['-l', disk]));
  const node = await TestNode.start(t, manifests, { stateFile: `${disk}/state/node.json` });
  const ballast = join(disk, 'ballast');
  return {
    node,
    disk,
    fill: () => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize), { flag: 'a' });
    },
    drain: () => rmSync(ballast, { force: true }),
  };
}

const invokePath = (node: TestNode, service: string): string => node.path(service, 'control/invoke.json');

async function forgetAll(node: TestNode, service: string): Promise<void> {
  const jobs = await walk(node.world.root, node.path(service, 'jobs'), node.op());
  if (jobs.kind !== 'dir') throw new TypeError('no directory');
  for (const { name, kind } of await jobs.list(node.op())) {
    if (kind !== 'dir' || name === 'by-key') continue;
    const job = await jobs.lookup(name, node.op());
    if (job.kind !== 'dir') throw new TypeError('no directory');
    for (const file of await job.list(node.op())) await job.unlink(file.name, node.op());
    await jobs.rmdir(name, node.op());
  }
}

t.test(
  'a call that runs while the disk becomes full ends on record, after a restart too',
  { skip },
  async (t) => {
    const go = join(temporaryDir(t), 'go');
    const wait = shellManifest('wait', `while [ ! -e "${go}" ]; do sleep 0.02; done; cat`);
    const { node, disk, fill, drain } = await onSmallDisk(t, [wait]);
    await node.write(node.path('wait', 'control/submit.json'), '{"n":1}');
    const [id] = (await node.names(node.path('wait', 'jobs'))).filter((name) => name !== 'by-key');
    await until(
      async () => (await node.json(node.path('wait', `jobs/${id!}/status.json`)))['state'] === 'running',
    );
    fill();
    writeFileSync(go, '');
    await until(
      async () => (await node.json(node.path('wait', `jobs/${id!}/status.json`)))['state'] === 'ok',
    );
    const audit = readFileSync(join(disk, 'state/node.json.audit.ndjson'), 'utf8');
    t.ok(audit.includes(`"invocation_id":"${id!}","state":"ok"`), 'the audit log has its end');
    drain();
    await node.restart();
    t.match(await node.json(node.path('wait', `jobs/${id!}/status.json`)), { state: 'ok' });
  },
);

t.test('removing jobs makes room for others on a full disk', { skip }, async (t) => {
  const { node, fill } = await onSmallDisk(t);
  const call = (size: number): Promise<string | null> =>
    errnoOf(() => node.write(invokePath(node, 'cat'), JSON.stringify({ text: 'x'.repeat(size) })));
  for (let n = 0; n < 30; n++) t.equal(await call(8000), null);
  fill();
  t.match(await call(100_000), /^(ENOSPC|EIO)$/);
  t.match(await node.read(node.path('cat', 'last_error.txt')), /\/state\//, 'the file is named');
  await forgetAll(node, 'cat');
  t.equal(await call(8000), null, 'the space of the removed is used again');
  await node.restart();
  t.equal(
    (await node.names(node.path('cat', 'jobs'))).length,
    3,
    'what was removed stays so: by-key, latest and one',
  );
});

t.test(
  'on a full disk a config is refused with its file named, and disabling still works',
  { skip },
  async (t) => {
    const { node, fill } = await onSmallDisk(t);
    await node.write(node.path('cat', 'config.json'), '{"a":1}');
    fill();
    const large = JSON.stringify({ text: 'x'.repeat(500_000) });
    const refused = await node.write(node.path('cat', 'config.json'), large).then(
      () => null,
      (thrown: unknown) => FsError.from(thrown),
    );
    t.equal(refused?.code, 'ENOSPC');
    t.match(refused?.sentence, /runtime-services\.json cannot be written[^]*Free some space/);
    t.same(await node.json(node.path('cat', 'config.json')), { a: 1 });
    await node.write(node.path('cat', 'control/disable'), '1');
    await node.restart();
    t.match(await node.json(node.path('cat', 'status.json')), { state: 'offline' });
    t.same(await node.json(node.path('cat', 'config.json')), { a: 1 });
  },
);
