import { spawn, type ChildProcess } from 'node:child_process';
import t, { type Test } from 'tap';
import { PROGRAM } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';

import { descriptor } from '../support/store.js';
import { until } from '../support/until.js';
import { PlaneCommands } from './plane-commands.js';

/** A command that goes on; ended with the test. */
class Running {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  status: number | null | undefined;

  constructor(t: Test, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...cleanEnvironment(), NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.child.once('close', (status) => (this.status = status));
    t.teardown(() => this.child.kill('SIGKILL'));
  }

  get documents(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

t.test('watch shows each event once and in order, across a restart of the control plane', async (t) => {
  const plane = await PlaneCommands.start(t);
  let node = plane.under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
  node.upsert([descriptor('a')]);
  const watch = new Running(t, ['watch', '--json', '--since', '0'], plane.env);
  await until(() => watch.stderr.includes('Watching.'), 'the watch');
  await until(() => watch.stdout.includes('"service_id":"a"'), 'the replay');
  await plane.under.restart();
  await until(() => watch.stderr.includes('Connected again'), 'the watch, again');
  node = plane.under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
  node.upsert([descriptor('b')]);
  await until(() => watch.stdout.includes('"service_id":"b"'), 'what changed');
  watch.child.kill('SIGINT');
  await until(() => watch.status !== undefined, 'the end');
  t.equal(watch.status, 0);
  const revisions = watch.documents.map(({ revision }) => revision);
  t.same(
    revisions,
    revisions.map((_, at) => at + 1),
  );
});

t.test('watch says "compacted" where events are gone, and goes on from now', async (t) => {
  const plane = await PlaneCommands.start(t, { retention: { maxEvents: 1 } });
  const node = plane.under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
  for (const name of ['a', 'b', 'c']) node.upsert([descriptor(name)]);
  plane.under.plane.store.events.compact();
  const watch = new Running(t, ['watch', '--since', '0'], plane.env);
  await until(() => watch.stderr.includes('Watching.'), 'the watch');
  await until(() => watch.stdout.startsWith('compacted: '), 'the word');
  node.upsert([descriptor('c', { version: '2' })]);
  await until(() => / n1 ~c\(1 -> 2\)\n/.test(watch.stdout), 'what changed');
});

t.test('audit prints what admins did; --follow goes on; users are refused', async (t) => {
  const plane = await PlaneCommands.start(t);
  const admin = await plane.under.admin();
  await admin.request('project_create', { project_id: 'web' });
  t.match(await plane.run(['audit']), {
    status: 0,
    stdout: /^\d+ 20\S+ control project_create ok .*role=admin/m,
  });
  const follow = new Running(t, ['audit', '--follow', '--json'], plane.env);
  await until(() => follow.stdout.includes('project_create'), 'what was');
  await admin.request('project_delete', { project_id: 'web' });
  await until(() => follow.stdout.includes('project_delete'), 'what comes');
  t.same(
    follow.documents.map(({ act }) => act),
    ['project_create', 'project_delete'],
  );
  t.match(await plane.run(['audit'], { ACHERON_TOKEN: plane.under.token('user') }), {
    status: 1,
    stdout: '',
    stderr: /Only admins/,
  });
});
