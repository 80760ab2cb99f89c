import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, extract } from 'tar';
import t, { type Test } from 'tap';
import { ControlStore } from '../../lib/control/index.js';
import type { Log } from '../../lib/core/index.js';
import { backUpNode, restoreNode } from '../../lib/node/index.js';
import { walk } from '../../lib/vfs/index.js';
import { acheron, Up } from '../support/acheron.js';
import {
  inviteThrough,
  linesOf,
  PlaneProcesses,
  readJson,
  shell,
  untilOnline,
} from '../support/plane-processes.js';
import { errnoOf, shellManifest, temporaryDir, TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

const NOW = { release: '0.1.0', nowMs: Date.UTC(2026, 0, 2) };
const KEEP = { nowMs: NOW.nowMs, replace: false };

/** Runs count themselves in a file that no backup has. */
function counting(dir: string): ReturnType<typeof shellManifest> {
  return shellManifest('s', `echo x >> ${dir}/runs; cat`, { runtime: { max_concurrency: 16 } });
}

/** A state with one keyed call in it, and a backup of that beside it. */
async function backedUp(t: Test): Promise<{ dir: string; file: string; stateFile: string; node: TestNode }> {
  const dir = temporaryDir(t);
  const node = await TestNode.start(t, [counting(dir)]);
  await node.write(node.path('s', 'control/invoke.json'), '{"_key":"k","n":1}');
  await node.write(node.path('s', 'config.json'), '{"colour":"red"}');
  const stateFile = join(node.dir, 'state', 'node.json');
  const file = join(dir, 'node.tgz');
  await backUpNode(file, { ...NOW, stateFile });
  return { dir, file, stateFile, node };
}

/** Where the job of a key is: a link leads to it as long as `jobs/` has it. */
async function jobOfKey(node: TestNode, key: string): Promise<string> {
  const keys = node.path('s', 'jobs/by-key');
  const found = await walk(node.world.root, `${keys}/${key}`, node.op());
  return join(keys, found.kind === 'symlink' ? await found.readlink(node.op()) : key);
}

t.test(
  'a backup made under calls has all that was acknowledged before, whole, and no key runs twice',
  async (t) => {
    const dir = temporaryDir(t);
    const manifest = counting(dir);
    const node = await TestNode.start(t, [manifest]);
    const invoke = node.path('s', 'control/invoke.json');
    const acknowledged: string[] = [];
    let isCalling = true;
    const calls = [0, 1, 2, 3].map(async (caller) => {
      for (let n = 0; isCalling; n++) {
        const key = `${caller}-${n}`;
        await node.write(invoke, JSON.stringify({ _key: key, n }));
        acknowledged.push(key);
      }
    });
    await until(() => acknowledged.length >= 20, 'calls');
    const file = join(dir, 'node.tgz');
    const before = [...acknowledged];
    const made = await acheron(['backup', file, '--state-dir', join(node.dir, 'state')]);
    t.equal(made.status, 0, made.stderr);
    t.ok(acknowledged.length > before.length, 'calls went on meanwhile');
    isCalling = false;
    await Promise.all(calls);
    await node.node.close();
    t.equal(statSync(file).mode & 0o777, 0o600, 'others cannot read it');

    const restored = join(dir, 'restored');
    mkdirSync(restored);
    const ran = await acheron(['restore', file, '--state-dir', join(restored, 'state')]);
    t.equal(ran.status, 0, ran.stderr);
    cpSync(join(node.dir, 'manifests'), join(restored, 'manifests'), { recursive: true });
    const faults: string[] = [];
    const log = logInto(faults);
    const again = await TestNode.on(t, restored, { log });
    t.same(faults, [], 'nothing is damaged or missing');
    const runs = linesOf(join(dir, 'runs')).length;
    for (const key of before) {
      const [, n] = key.split('-');
      await again.write(again.path('s', 'control/invoke.json'), JSON.stringify({ _key: key, n: Number(n) }));
      t.same(await again.json(join(await jobOfKey(again, key), 'result.json')), { n: Number(n) });
    }
    t.equal(linesOf(join(dir, 'runs')).length, runs, 'none of them ran again');
    t.same((await again.names(again.path('s', 'history'))).length > 0, true);
  },
);

t.test(
  'a node that moves to another machine is the same node there, and its services are as they were',
  async (t) => {
    const plane = await PlaneProcesses.start(t);
    const mount = await plane.mount();
    const dir = temporaryDir(t);
    const manifest = counting(dir);
    const there = plane.node('n1', [manifest]).start(await inviteThrough(mount));
    await untilOnline(mount, 'n1');
    const service = join(mount, 'nodes/n1/services/s');
    const call = (): Promise<{ status: number | null; stderr: string }> =>
      shell(
        `echo '{"_key":"once","n":1}' > ${service}/control/invoke.json && cat ${service}/jobs/by-key/once/result.json`,
      );
    t.match(await call(), { status: 0 });
    t.match(await shell(`printf x > ${service}/control/disable`), { status: 0 });
    const file = join(dir, 'n1.tgz');
    const args = ['--state-dir', join(there.dir, 'state')];
    t.match(await plane.run(['restore', file, ...args]), {
      status: 1,
      stderr: /A node runs with the state file.*acheron stop/s,
    });
    t.match(await plane.run(['backup', file, ...args]), { status: 0 });
    await there.program.end('SIGKILL');

    const here = plane.node('n1', [manifest]);
    t.match(await plane.run(['restore', file, '--state-dir', join(here.dir, 'state')]), { status: 0 });
    t.equal(statSync(join(here.dir, 'state/node.json')).mode & 0o777, 0o600, 'its secret is its own');
    here.start();
    await untilOnline(mount, 'n1');
    t.equal((await readJson(`${service}/health.json`))['enabled'], false, 'it is still disabled');
    t.match(await shell(`printf x > ${service}/control/enable`), { status: 0 });
    t.match(await call(), { status: 0, stdout: /"n": 1/ });
    t.equal(linesOf(join(dir, 'runs')).length, 1, 'the key ran once, on the machine before');
    t.match(
      (await readJson<{ node_id: string }[]>(`${mount}/nodes/NODES.json`)).map(({ node_id }) => node_id),
      ['n1'],
    );
  },
);

t.test('what acheron up keeps is backed up with its control plane, while both run', async (t) => {
  const dir = temporaryDir(t);
  const up = await Up.start(t, { control: true, manifests: [counting(dir)], args: ['--port', '0'] });
  await until(() => existsSync(join(up.stateDir, 'control.url')), 'the control plane');
  t.match(await shell(`echo '{"n":1}' > ${up.service('s', 'control/invoke.json')}`), { status: 0 });
  const file = join(dir, 'up.tgz');
  const made = await acheron(['backup', file, '--state-dir', up.stateDir]);
  t.match(made, { status: 0, stderr: /The node and the control plane/ });
  const stateDir = join(dir, 'restored');
  t.match(await acheron(['restore', file, '--state-dir', stateDir]), {
    status: 0,
    stderr: /and its control plane/,
  });
  const store = new ControlStore({ stateDir });
  t.teardown(() => store.close());
  t.ok(store.tokens.verify(readFileSync(join(up.stateDir, 'admin.token'), 'utf8').trim()));
  t.match(
    [...store.nodes.list()].map(({ nodeId }) => nodeId),
    ['local'],
  );

  t.comment('each file of the state is in the backup, or known to belong to the machine or the process');
  const top = (at: string): string[] => readdirSync(at).sort();
  const stays = /\.(?:lock|reserve|processes|sock|url)$|^control\.db-(?:wal|shm)$/;
  t.same(
    top(up.stateDir).filter((name) => !stays.test(name)),
    top(stateDir).filter((name) => !stays.test(name)),
  );
});

t.test(
  'with --replace, what is there is moved aside whole; without, and under a running node, nothing is changed',
  async (t) => {
    const { dir, file, stateFile, node } = await backedUp(t);
    await node.write(node.path('s', 'config.json'), '{"colour":"blue"}');
    await t.rejects(restoreNode(file, { ...KEEP, replace: true, stateFile }), {
      code: 'EBUSY',
      hint: /acheron stop/,
    });
    await node.node.close();
    const stateDir = join(node.dir, 'state');
    const namesBefore = readdirSync(stateDir).sort();
    await t.rejects(restoreNode(file, { ...KEEP, stateFile }), { code: 'EEXIST', hint: /--replace/ });
    t.same(readdirSync(stateDir).sort(), namesBefore);
    const { aside, madeAt } = await restoreNode(file, { ...KEEP, replace: true, stateFile });
    t.equal(madeAt, '2026-01-02T00:00:00.000Z');
    const colourIn = (path: string): unknown =>
      (JSON.parse(readFileSync(path, 'utf8')) as { services: { s: { config: { colour: string } } } }).services
        .s.config.colour;
    t.equal(colourIn(`${stateFile}.runtime-services.json`), 'red');
    t.equal(colourIn(join(aside!, 'node.json.runtime-services.json')), 'blue');
    t.same(
      readdirSync(stateDir).filter((name) => /^\.|restore-in/.test(name)),
      [],
      'nothing else is left',
    );
    const other = join(dir, 'elsewhere', 'n2.state');
    await restoreNode(file, { ...KEEP, stateFile: other });
    t.equal(colourIn(`${other}.runtime-services.json`), 'red', 'under another name too');
    t.ok(existsSync(`${other}.jobs/s/00000001.log`));
  },
);

t.test('what is no good backup of a node is refused with its fault, and changes nothing', async (t) => {
  const { file, dir, stateFile, node } = await backedUp(t);
  await node.node.close();
  const bytes = readFileSync(file);
  /** The backup, with other files in it. */
  const repacked = async (name: string, change: (at: string) => void): Promise<string> => {
    const unpacked = join(dir, `${name}.d`);
    mkdirSync(unpacked);
    await extract({ file, cwd: unpacked });
    change(unpacked);
    const path = join(dir, name);
    const names = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
    const files = names.filter((one) => statSync(join(unpacked, one)).isFile());
    await create({ file: path, cwd: unpacked, gzip: true }, files);
    return path;
  };
  const summed = (at: string, name: string): void => {
    const digest = createHash('sha256')
      .update(readFileSync(join(at, name)))
      .digest('hex');
    const sums = join(at, 'SHA256SUMS');
    const others = readFileSync(sums, 'utf8')
      .split('\n')
      .filter((line) => !line.endsWith(`  ${name}`));
    writeFileSync(sums, [...others, `${digest}  ${name}`, ''].join('\n'));
  };
  const facts = (at: string, more: object): void => {
    const path = join(at, 'meta.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...more }));
    summed(at, 'meta.json');
  };
  const flipped = Buffer.from(bytes);
  flipped[flipped.length >> 1]! ^= 0xff;
  writeFileSync(join(dir, 'flipped'), flipped);
  const cases: [string, string, RegExp][] = [
    [join(dir, 'flipped'), 'EIO', /damaged/],
    [await repacked('of-a-plane', (at) => facts(at, { kind: 'acheron-control' })), 'EINVAL', /another kind/],
    [await repacked('newer', (at) => facts(at, { format: 2 })), 'EINVAL', /has format 2/],
    [
      await repacked('newer-jobs', (at) => facts(at, { jobs_format: 99, release: '7.0.0' })),
      'EINVAL',
      /jobs of format 99; this release reads up to 2/,
    ],
    [
      await repacked('foreign', (at) => {
        writeFileSync(join(at, 'node.json.lock'), 'y');
        summed(at, 'node.json.lock');
      }),
      'EIO',
      /holds "node\.json\.lock"/,
    ],
    [
      await repacked('other-secret', (at) => writeFileSync(join(at, 'node.json.audit.ndjson.key'), 'y')),
      'EIO',
      /is not what was packed/,
    ],
  ];
  const empty = join(dir, 'target', 'node.json');
  for (const [path, code, message] of cases) {
    await t.rejects(
      restoreNode(path, { ...KEEP, stateFile: empty }),
      { code, message },
      path.slice(dir.length + 1),
    );
    t.same(readdirSync(join(dir, 'target')), ['node.json.lock'], 'there is nothing');
  }
  t.match(await acheron(['backup', join(dir, 'x'), '--state-dir', join(dir, 'none')]), {
    status: 1,
    stderr: /has no node.*--state-dir/s,
  });
  t.match(await acheron(['backup', join(dir, 'none/x'), '--state-dir', join(stateFile, '..')]), {
    status: 1,
    stderr: /Nothing can be written/,
  });
  t.equal(await errnoOf(() => restoreNode(join(dir, 'absent'), { ...KEEP, stateFile: empty })), 'ENOENT');
});

/** Hears of what is damaged. */
function logInto(faults: string[]): Log {
  const heard = (text: string, facts?: object): void => void faults.push(`${text} ${JSON.stringify(facts)}`);
  const ignored = (): void => undefined;
  return { debug: ignored, info: ignored, warn: ignored, error: heard };
}
