import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { acheron } from '../support/acheron.js';
import { mountChild, mountDirFor } from '../support/mount-child.js';
import { PlaneProcesses, Program, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

const DESCRIPTORS = [
  ...['README.md', 'SCHEMA.json', 'TEMPLATE.json', 'HOST.json', 'SERVICE.json', 'CAPS.json'],
  ...['MOUNTS.json', 'OPS.json', 'RUNTIME.json', 'PERMISSIONS.json', 'schema.json', 'template.json'],
];
const LIVE = ['status.json', 'result.json', 'metrics.json', 'health.json', 'last_error.txt'];

const codeOf = (asking: Promise<unknown>): Promise<unknown> =>
  asking.then(
    () => undefined,
    (thrown: unknown) => (thrown as NodeJS.ErrnoException).code,
  );

const jsonAt = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));

/** A mount in which nothing is looked at; it says when it has the catalog. */
class Untouched {
  readonly dir: string;
  readonly #program: Program;

  constructor(t: Test, url: string, tokenFile: string) {
    this.dir = mountDirFor(t);
    const state = join(this.dir, '..', 'state');
    this.#program = new Program(t, [
      ...['mount', this.dir, '--control-url', url, '--token-file', tokenFile],
      ...['--state-dir', state, '--log-level', 'debug'],
    ]);
  }

  get timesKept(): number {
    return this.#program.said.match(/The catalog is kept/g)?.length ?? 0;
  }

  async keeps(before = 0): Promise<this> {
    await this.#program.says(/Mounted on/);
    await until(() => this.timesKept > before, 'the catalog');
    return this;
  }
}

const plane = await PlaneProcesses.start(t);
const port = Number(new URL(plane.url).port);
/** What lies between the untouched mounts and the control plane. */
const proxy = await TcpProxy.start(() => port);
t.teardown(() => proxy.close());
/** A mount through which everything is read. */
const read = await plane.mount();
plane
  .node('n1', [shellManifest('tool', 'cat'), shellManifest('second', 'cat')])
  .start(await inviteThrough(read));
await untilOnline(read, 'n1');

/** What a tree says of its descriptors and names. */
async function described(mount: string): Promise<Record<string, unknown>> {
  const node = join(mount, 'nodes/n1');
  const service = join(node, 'services/tool');
  const said: Record<string, unknown> = {};
  for (const dir of [
    join(mount, 'nodes'),
    node,
    join(node, 'services'),
    service,
    join(service, 'control'),
    join(node, 'tool'),
  ])
    said[dir.slice(mount.length)] = (await readdir(dir)).sort();
  for (const name of DESCRIPTORS) {
    const file = join(service, name);
    said[name] = await readFile(file, 'utf8');
    said[`${name} mtime`] = (await stat(file)).mtimeMs;
  }
  said['INDEX.tsv'] = await readFile(join(mount, 'nodes/INDEX.tsv'), 'utf8');
  for (const name of ['README.md', 'NODE.json', 'CAPS.json'])
    said[`node ${name}`] = await readFile(join(node, name), 'utf8');
  return said;
}

t.test(
  'descriptors that nobody read are there after the control plane was killed, and it heals without remount',
  async (t) => {
    const { dir: untouched } = await new Untouched(t, proxy.url, plane.tokenFile('admin')).keeps();
    const before = await described(read);
    await plane.control.end('SIGKILL');
    await until(
      async () => (await codeOf(readFile(join(untouched, 'session.json')))) === 'EHOSTDOWN',
      'the loss',
    );
    t.same(await described(untouched), before);
    const service = join(untouched, 'nodes/n1/services/tool');
    for (const name of LIVE) {
      t.equal(await codeOf(readFile(join(service, name))), 'EHOSTDOWN', name);
      t.ok((await stat(join(service, name))).isFile(), `${name} is listed with its attributes`);
    }
    t.equal(await codeOf(readdir(join(service, 'jobs'))), 'EHOSTDOWN');
    const nodes = join(untouched, 'nodes');
    t.match(await jsonAt(join(nodes, 'NODES.json')), [{ node_id: 'n1', state: 'offline' }]);
    t.match(await jsonAt(join(nodes, 'n1/services/SERVICES.json')), [
      { service_id: 'second', state: 'offline' },
      { service_id: 'tool', state: 'offline' },
    ]);
    t.match(await readFile(join(service, 'control/invoke.json'), 'utf8'), /\{/, 'the form of a call');
    t.equal(await codeOf(writeFile(join(service, 'control/invoke.json'), '{}\n')), 'EHOSTDOWN');
    t.equal(await codeOf(readFile(join(service, 'nothing'))), 'ENOENT', 'what was not there is not there');
    t.equal(await codeOf(readFile(join(untouched, 'nodes/n2/README.md'))), 'ENOENT');
    await plane.startControl();
    await untilOnline(read, 'n1');
    await untilOnline(untouched, 'n1');
    t.match(JSON.parse(await readFile(join(service, 'status.json'), 'utf8')), { state: 'idle' });
    t.same((await readdir(service)).sort(), before['/nodes/n1/services/tool']);
  },
);

/** Ways to be there and not answer, and how they end. */
const SILENCES: Readonly<Record<string, () => () => void>> = {
  'is stopped': () => {
    plane.control.child.kill('SIGSTOP');
    return () => plane.control.child.kill('SIGCONT');
  },
  'is behind a black hole': () => {
    proxy.swallow();
    return () => proxy.release();
  },
};

for (const [shape, begin] of Object.entries(SILENCES))
  t.test(
    `descriptors that nobody read are there while the control plane ${shape}, and live files once that ends`,
    async (t) => {
      const { dir: untouched } = await new Untouched(t, proxy.url, plane.tokenFile('admin')).keeps();
      const status = join(untouched, 'nodes/n1/services/tool/status.json');
      const before = await described(read);
      const end = begin();
      try {
        const startMs = performance.now();
        t.same(await described(untouched), before);
        t.ok(performance.now() - startMs < 15_000, 'after the first wait, nothing waits');
        t.equal(await codeOf(readFile(status)), 'EHOSTDOWN');
      } finally {
        end();
      }
      await untilOnline(read, 'n1');
      await untilOnline(untouched, 'n1');
      await until(async () => (await codeOf(readFile(status))) === undefined, 'the live files');
    },
  );

t.test('what is kept is shown for ten minutes, and by the kernel too no longer than that', async (t) => {
  const before = await described(read);
  const argument = {
    url: plane.url,
    token: (await readFile(plane.tokenFile('admin'), 'utf8')).trim(),
    times: [600_000, 600_001],
  };
  const module = new URL('../support/aging-tree.js', import.meta.url).href;
  const mount = await mountChild(t, {
    fixture: { module, name: 'createAgingTree', argument },
    binding: 'kernel',
  });
  const tree = join(mount.dir, 'tree');
  const becomes = (ms: number): Promise<unknown> => readFile(join(mount.dir, 'later', String(ms)));
  await until(() => mount.output().includes('The catalog is kept'), 'the catalog');
  await plane.control.end('SIGKILL');
  await until(async () => (await codeOf(readFile(join(tree, 'session.json')))) === 'EHOSTDOWN', 'the loss');
  t.same(await described(tree), before);
  await becomes(600_000);
  t.same(await described(tree), before);
  await becomes(600_001);
  for (const name of ['nodes', 'nodes/n1', 'nodes/n1/services/tool', 'nodes/n1/services/tool/README.md']) {
    t.equal(await codeOf(stat(join(tree, name))), 'EHOSTDOWN', `attributes of ${name}`);
    t.equal(
      await codeOf(name.endsWith('.md') ? readFile(join(tree, name)) : readdir(join(tree, name))),
      'EHOSTDOWN',
      name,
    );
  }
  await plane.startControl();
  await untilOnline(read, 'n1');
  await untilOnline(tree, 'n1');
  await until(async () => (await codeOf(described(tree))) === undefined, 'the descriptors');
});

t.test(
  'a mount that comes back with a token that was revoked meanwhile shows nothing of what it kept',
  async (t) => {
    let target = port;
    const network = await TcpProxy.start(() => target);
    t.teardown(() => network.close());
    const made = await acheron([
      'token',
      'create',
      '--role',
      'admin',
      '--label',
      'lost',
      ...plane.as('admin'),
    ]);
    const tokenFile = join(temporaryDir(t), 'lost.token');
    await writeFile(tokenFile, made.stdout, { mode: 0o600 });
    const { dir } = await new Untouched(t, network.url, tokenFile).keeps();
    const readme = join(dir, 'nodes/n1/services/tool/README.md');
    target = 1;
    network.cut();
    await until(async () => (await codeOf(readFile(join(dir, 'session.json')))) === 'EHOSTDOWN', 'the loss');
    const listed = await acheron(['token', 'list', '--json', ...plane.as('admin')]);
    const lost = (JSON.parse(listed.stdout) as { token_id: string; label: string }[]).find(
      ({ label }) => label === 'lost',
    );
    const revoked = await acheron(['token', 'revoke', lost!.token_id, ...plane.as('admin')]);
    t.equal(revoked.status, 0, revoked.stderr);
    t.equal(await codeOf(readFile(readme)), undefined, 'the mount was not notified so far');
    target = port;
    await until(async () => (await codeOf(readFile(readme))) === 'EHOSTDOWN', 'the refusal');
    t.equal(await codeOf(readdir(join(dir, 'nodes'))), 'EHOSTDOWN');
  },
);

t.test('what a user may no longer see is not shown to it after the control plane was killed', async (t) => {
  const open = { permissions: { allow_roles: ['admin', 'user'] } };
  const node = plane.node('n2', [
    { ...shellManifest('tool', 'cat'), ...open },
    { ...shellManifest('second', 'cat'), ...open },
    { ...shellManifest('never', 'cat'), permissions: { allow_roles: ['admin'] } },
  ]);
  node.start(await inviteThrough(read));
  await untilOnline(read, 'n2');
  const mount = await new Untouched(t, plane.url, plane.tokenFile('user')).keeps();
  const user = mount.dir;
  const { timesKept } = mount;
  const services = join(user, 'nodes/n2/services');
  node.write({ ...shellManifest('second', 'cat'), permissions: { allow_roles: ['admin'] } });
  await mount.keeps(timesKept);
  await plane.control.end('SIGKILL');
  await until(async () => (await codeOf(readFile(join(user, 'session.json')))) === 'EHOSTDOWN', 'the loss');
  t.equal(await codeOf(readFile(join(services, 'second/README.md'))), 'ENOENT');
  t.equal(await codeOf(readFile(join(services, 'never/README.md'))), 'ENOENT');
  t.notMatch(await readFile(join(user, 'nodes/n2/CAPS.json'), 'utf8').catch(() => ''), /never/);
  t.match(await readFile(join(services, 'tool/README.md'), 'utf8'), /tool/);
  t.same((await readdir(services)).sort(), ['SERVICES.json', 'tool']);
});
