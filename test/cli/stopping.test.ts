import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { inspectMountpoint } from '../../lib/fuse/index.js';
import { Up, acheron } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.jobs = 2;

t.test('unmount ends a node whose mount a shell is in, and says who was in it', async (t) => {
  const up = await Up.start(t);
  const inside = spawn('sh', ['-c', 'echo in; read x'], { cwd: up.dir, env: cleanEnvironment() });
  t.teardown(() => inside.kill('SIGKILL'));
  await once(inside.stdout, 'data');
  const { status, stdout } = await acheron(['unmount', up.dir]);
  t.equal(status, 0);
  t.match(stdout, new RegExp(`It was in use: \\S+ \\(pid ${inside.pid}\\) works in it`));
  t.match(stdout, /Unmounted/);
  t.equal(await up.ended, 0, 'it has ended');
  const again = await Up.start(t, { dir: up.dir, stateDir: up.stateDir });
  t.equal(await again.stop(), 0, 'the state is free for the next');
});

t.test('unmount ends a node whose mount is bound to another place too', async (t) => {
  const up = await Up.start(t);
  const bound = join(temporaryDir(t), 'bound');
  mkdirSync(bound);
  const bind = spawn('mount', ['--bind', up.dir, bound]);
  t.same(await once(bind, 'close'), [0, null]);
  t.teardown(async () => once(spawn('umount', ['-l', bound]), 'close'));
  t.match(await acheron(['unmount', up.dir]), { status: 0, stdout: /Unmounted/ });
  t.equal(await up.ended, 0);
});

t.test('stop ends what runs with a state directory, or serves a mount, and waits for it', async (t) => {
  const first = await Up.start(t, { control: true });
  t.match(await acheron(['stop', '--state-dir', first.stateDir]), {
    status: 0,
    stdout: new RegExp(`^Process ${first.child.pid} has ended.\n$`),
  });
  t.equal(await first.ended, 0);
  t.equal((await inspectMountpoint(first.dir)).state, 'free');
  t.match(await acheron(['stop', '--state-dir', first.stateDir]), { status: 0, stdout: /Nothing runs with/ });
  const second = await Up.start(t);
  const stopped = await acheron(['stop', second.dir, '--json']);
  t.same(JSON.parse(stopped.stdout), { ended: [second.child.pid] }, stopped.stderr);
  t.equal(await second.ended, 0);
  t.match(await acheron(['stop', second.dir]), { status: 0, stdout: /Nothing runs on/ });
});

t.test(
  'with --stop-grace-ms a node that is asked to stop takes no more calls, and those that run end well',
  async (t) => {
    const dir = temporaryDir(t);
    const [gate, begun] = [join(dir, 'gate'), join(dir, 'begun')];
    t.same(await once(spawn('mkfifo', [gate]), 'close'), [0, null]);
    const script = `: > ${begun}; cat ${gate} > /dev/null; printf '{"ok":true}'`;
    const up = await Up.start(t, {
      manifests: [shellManifest('slow', script)],
      args: ['--stop-grace-ms', '60000'],
    });
    const invoke = ['invoke', 'slow', '{}', '--state-dir', up.stateDir];
    const call = acheron(invoke);
    await until(() => existsSync(begun), 'the call');
    up.child.kill('SIGTERM');
    await until(
      async () => (await acheron(invoke)).stderr.includes('The node is shutting down'),
      'the refusal',
      60_000,
    );
    t.equal(up.child.exitCode, null, 'it goes on');
    writeFileSync(gate, '\n');
    t.match(await call, { status: 0, stdout: /"ok": true/ });
    t.equal(await up.ended, 0);
  },
);
