import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  PlaneProcesses,
  inviteThrough,
  linesOf,
  readJson,
  shell,
  untilOnline,
} from '../support/plane-processes.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const ECHO = shellManifest('echo', 'printf \'{"got":%s}\' "$(cat)"');
const ADMINS = { permissions: { allow_roles: ['admin'] } };

t.setTimeout(300_000);

// One plane, one node and one mount for all: each test leaves them as it found them.
const plane = await PlaneProcesses.start(t);
const mount = await plane.mount();
const node = plane.node('n1', [ECHO, shellManifest('secret', 'echo {}', ADMINS)]);
const runs = join(node.dir, 'runs');
node.write(shellManifest('slow', `cat >/dev/null; echo run >> ${runs}; sleep 1; echo '{"done":true}'`));
node.start(await inviteThrough(mount));
await untilOnline(mount, 'n1');

const service = (mount: string, id: string, file: string): string =>
  `${mount}/nodes/n1/services/${id}/${file}`;

t.test('a node pairs by invite, and any mount invokes its services and reads the result', async (t) => {
  const called = await shell(`echo '{"text":"hi"}' > ${service(mount, 'echo', 'control/invoke.json')}`);
  t.equal(called.status, 0, called.stderr);
  t.match(await readJson(service(mount, 'echo', 'result.json')), { got: { text: 'hi' } });
  const invoked = await plane.run(['invoke', 'n1/echo', '{"by":"user"}', ...plane.as('user')]);
  t.equal(invoked.status, 0, invoked.stderr);
  t.match(JSON.parse(invoked.stdout), { got: { by: 'user' } });
});

t.test('a node pairs by request, once an admin has approved it from the shell', async (t) => {
  const other = plane.node('n2', [ECHO]).start();
  const [, code] = await other.program.says(/code is (\S+)\./);
  const pairing = `${mount}/control/pairing`;
  const [request] = await readJson<readonly Record<string, unknown>[]>(`${pairing}/pending.json`);
  t.match(request, { node_name: 'n2', verification_code: code });
  const wrong = await shell(`echo '{"request_id":"r-none"}' > ${pairing}/approve.json`);
  t.not(wrong.status, 0);
  t.match((await shell(`cat ${pairing}/last_error.txt`)).stdout, /^ENOENT: .*r-none/);
  const approved = await shell(
    `echo '{"request_id":"${request!.request_id as string}"}' > ${pairing}/approve.json`,
  );
  t.equal(approved.status, 0, approved.stderr);
  await untilOnline(mount, 'n2');
  t.strictSame(await readJson(`${pairing}/pending.json`), []);
});

t.test('a node that is killed can be read and not used, and returns without a remount', async (t) => {
  await node.program.end('SIGKILL');
  await until(
    async () => (await readJson(`${mount}/nodes/n1/STATUS.json`)).state === 'offline',
    'the node to be offline',
  );
  t.match(await readJson(service(mount, 'echo', 'SERVICE.json')), { service_id: 'echo', state: 'offline' });
  t.match(await readJson(service(mount, 'echo', 'status.json')), { state: 'offline' });
  const call = `echo '{}' > ${service(mount, 'echo', 'control/invoke.json')}`;
  t.match((await shell(call)).stderr, /Host is down/);
  node.start();
  await untilOnline(mount, 'n1');
  t.equal((await shell(call)).status, 0);
});

t.test('a control plane that is killed comes back, and nodes and mounts with it', async (t) => {
  const call = `echo '{}' > ${service(mount, 'echo', 'control/invoke.json')}`;
  t.equal((await shell(call)).status, 0);
  await plane.control.end('SIGKILL');
  t.match((await shell(call)).stderr, /Host is down/);
  await plane.startControl();
  await untilOnline(mount, 'n1');
  t.equal((await shell(call)).status, 0);
});

t.test(
  'an invocation in flight over a lost connection is not run twice, and its outcome is found',
  async (t) => {
    const call = shell(`echo '{"_key":"k1"}' > ${service(mount, 'slow', 'control/invoke.json')}`);
    await until(() => existsSync(join(node.dir, 'runs')), 'the driver to run');
    await plane.control.end('SIGKILL');
    t.not((await call).status, 0);
    await plane.startControl();
    await untilOnline(mount, 'n1');
    const job = service(mount, 'slow', 'jobs/by-key/k1');
    await until(
      async () =>
        (await readJson(`${job}/status.json`).catch((): Record<string, unknown> => ({}))).state === 'ok',
      'the outcome',
    );
    t.match(await readJson(`${job}/result.json`), { done: true });
    t.equal(linesOf(join(node.dir, 'runs')).length, 1);
  },
);

t.test('a service that is added or changed at a node reaches the mount', async (t) => {
  node.write(shellManifest('later', 'echo {}', { version: '2' }));
  await until(async () => (await readdir(`${mount}/nodes/n1/services`)).includes('later'), 'the service');
  const version = async (): Promise<unknown> =>
    (await readJson(service(mount, 'later', 'SERVICE.json'))).version;
  t.equal(await version(), '2');
  node.write(shellManifest('later', 'echo {}', { version: '3' }));
  await until(async () => (await version()) === '3', 'the new version');
  await until(async () => {
    const { stdout } = await shell(`cat ${mount}/events.ndjson`);
    return /"service_updated".*"later".*"version":"3".*"previous_version":"2"/.test(stdout);
  }, 'the event');
  t.match(await readJson(`${mount}/control/nodes/n1/reload.json`), { node_id: 'n1', faults_total: 0 });
});

t.test('a user sees no more than it may: services, control files, jobs of others', async (t) => {
  const user = await plane.mount('user');
  t.strictSame((await readdir(`${user}/nodes/n1/services`)).sort(), [
    'SERVICES.json',
    'echo',
    'later',
    'slow',
  ]);
  t.ok((await readdir(`${mount}/nodes/n1/services`)).includes('secret'));
  t.notOk((await readdir(user)).includes('control'));
  t.match(await readJson(`${user}/session.json`), { role: 'user' });
  t.notMatch((await shell(`cat ${user}/events.ndjson`)).stdout, /secret/);
  t.match((await shell(`cat ${mount}/events.ndjson`)).stdout, /secret/);
  t.equal((await shell(`echo '{"a":1}' > ${service(mount, 'later', 'control/invoke.json')}`)).status, 0);
  const jobs = await readdir(service(user, 'later', 'jobs'));
  t.strictSame(
    jobs.filter((name) => name !== 'by-key'),
    [],
  );
  t.strictSame(await readJson(service(user, 'later', 'result.json')), { state: 'idle' });
});

t.test(
  '[P] a listing of nodes that was read before shows a node as soon as it may be seen, and no longer',
  async (t) => {
    const user = await plane.mount('user');
    const third = plane.node('n3', [shellManifest('theirs', 'echo {}', ADMINS)]);
    third.start(await inviteThrough(mount));
    await untilOnline(mount, 'n3');
    const isListed = async (): Promise<boolean> => (await readdir(`${user}/nodes`)).includes('n3');
    const isFound = (): boolean => existsSync(`${user}/nodes/n3`);
    t.notOk((await isListed()) || isFound());
    third.write(shellManifest('theirs', 'echo {}', { version: '2' }));
    await until(async () => (await isListed()) && isFound(), 'the node');
    third.write(shellManifest('theirs', 'echo {}', { version: '3', ...ADMINS }));
    await until(async () => !(await isListed()) && !isFound(), 'the node to be hidden');
    await third.program.end('SIGTERM');
  },
);

t.test('[P] a token that is revoked is of no use to descriptors that are open', async (t) => {
  const user = await plane.mount('user');
  const file = await open(service(user, 'echo', 'status.json'));
  t.teardown(() => file.close());
  const bytes = Buffer.alloc(10);
  t.equal((await file.read(bytes, 0, 10, 0)).bytesRead, 10);
  const { stdout } = await plane.run(['token', 'list', '--json', ...plane.as('admin')]);
  const listed = JSON.parse(stdout) as readonly { token_id: string; role: string }[];
  const id = listed.find(({ role }) => role === 'user')!.token_id;
  const revoked = await plane.run(['token', 'revoke', id, ...plane.as('admin')]);
  t.equal(revoked.status, 0, revoked.stderr);
  await t.rejects(file.read(bytes, 0, 10, 0), { code: 'EACCES' });
  t.not((await shell(`ls ${user}/nodes`)).status, 0);
  t.equal((await shell(`ls ${mount}/nodes`)).status, 0);
});
