import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { acheron, PROGRAM, Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const tool = (help: string, more: JsonObject = {}): JsonObject =>
  shellManifest('tool', 'cat', { help_md: help, ...more });

/** Saves the manifest, and waits until the mount shows it. */
async function save(up: Up, manifest: JsonObject): Promise<void> {
  writeFileSync(join(up.manifests, 'tool.json'), JSON.stringify(manifest));
  const help = manifest['help_md'] as string;
  await until(
    () => readFileSync(up.service('tool', 'SERVICE.json'), 'utf8').includes(JSON.stringify(help)),
    'the reload',
  );
}

/** A control plane begins beside the mount, which shows what it recorded from then on. */
async function withPlane(up: Up): Promise<void> {
  const isPlanes = (): boolean => {
    try {
      const [first] = linesIn(readFileSync(up.service('tool', 'HISTORY.ndjson'), 'utf8'));
      return (first!['revision'] as number) > 1;
    } catch (thrown) {
      // Opened just before it began, the file is another one by now.
      if ((thrown as NodeJS.ErrnoException).errno === -116) return false;
      throw thrown;
    }
  };
  await until(isPlanes, 'the control plane');
}

const linesIn = (text: string): JsonObject[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);

for (const control of [false, true])
  t.test(
    `what a service was, as files of a mount and by command: ${control ? 'with' : 'without'} a control plane`,
    async (t: Test) => {
      const up = await Up.start(t, { manifests: [tool('one')], control });
      const run = (...args: string[]): ReturnType<typeof acheron> =>
        acheron([...args, '--state-dir', up.stateDir]);
      if (control) await withPlane(up);
      await save(up, tool('two', { version: '2' }));
      writeFileSync(up.service('tool', 'control/disable'), '1\n');
      await save(up, tool('three', { version: '2' }));
      await until(
        () => linesIn(readFileSync(up.service('tool', 'HISTORY.ndjson'), 'utf8')).length === 4,
        'the control act',
      );
      const lines = linesIn(readFileSync(up.service('tool', 'HISTORY.ndjson'), 'utf8'));
      t.match(lines[0], { change: 'added', version: '1', source: join(up.manifests, 'tool.json') });
      const listed = await run('history', 'local/tool', '--json');
      t.same(JSON.parse(listed.stdout), lines, 'the command says what the file says');
      const numbers = lines.map(({ revision }) => revision as number);
      const versions = lines
        .filter(({ change }) => change !== 'disabled')
        .map(({ revision }) => String(revision as number));
      const [first = '', second = '', third = ''] = versions;
      t.same(
        readdirSync(up.service('tool', 'history')).sort(),
        numbers.flatMap((n) => [`${n}.diff`, `${n}.json`]).sort(),
      );
      const table = await run('history', 'tool');
      t.match(table.stdout, /^N +WHEN +CHANGE +VERSION +FIELDS\n/);
      t.match(table.stdout, new RegExp(`^${second} .* updated +1 -> 2 +/version /help_md$`, 'm'));
      t.match(table.stdout, /disabled +2$/m);

      const last = await run('diff', 'local/tool');
      t.equal(last.status, 0, last.stderr);
      t.equal(last.stdout, readFileSync(up.service('tool', `history/${third}.diff`), 'utf8'));
      t.match(last.stdout, '-  "help_md": "two",\n+  "help_md": "three",');
      const two = await run('diff', 'local/tool', first, second);
      t.match(two.stdout, `--- tool/${first}.json\n+++ tool/${second}.json\n`);
      t.match(JSON.parse((await run('diff', 'local/tool', first, '--json')).stdout), {
        from: Number(first),
        fields: ['/version', '/help_md'],
      });
      t.same([(await run('diff', 'local/tool', third, third)).stdout], [''], 'nothing where nothing differs');
      for (const [args, status, said] of [
        [['diff', 'local/tool', '9999'], 1, /no change 9999 .*ENOENT/],
        [['diff', 'local/tool', 'x'], 2, /must be a number/],
        [['history', 'local/none'], 1, /ENOENT/],
        [['history'], 2, /missing required argument/],
      ] as const) {
        const ran = await run(...args);
        t.equal(ran.status, status, args.join(' '));
        t.match(ran.stderr, said);
      }
      const { files } = JSON.parse(
        readFileSync(join(up.dir, 'control/nodes/local/reloads/latest'), 'utf8'),
      ) as { files: JsonObject[] };
      t.match(files, [{ path: join(up.manifests, 'tool.json'), outcome: 'updated' }]);
      t.match(readlinkSync(join(up.dir, 'control/nodes/local/reloads/latest')), /^\d+\.json$/);
      if (!control) return;

      const url = readFileSync(join(up.stateDir, 'control.url'), 'utf8').trim();
      const asUser = (...args: string[]): ReturnType<typeof acheron> =>
        acheron([...args, '--control-url', url, '--token-file', join(up.stateDir, 'user.token')]);
      const seen = JSON.parse((await asUser('history', 'local/tool', '--json')).stdout) as JsonObject[];
      t.same(
        seen.map(({ seq, source, revision }) => [seq, source, revision]),
        [1, 2, 3, 4].map((n) => [n, undefined, undefined]),
      );
      t.match((await asUser('diff', 'local/tool', '1', '2')).stdout, '--- tool/1.json\n+++ tool/2.json\n');
    },
  );

t.test(
  'what was acknowledged is in the history after kill -9, with and without a control plane',
  async (t) => {
    for (const control of [false, true]) {
      const up = await Up.start(t, { manifests: [tool('one')], control });
      if (control) await withPlane(up);
      await save(up, tool('two'));
      writeFileSync(up.service('tool', 'control/disable'), '1\n');
      writeFileSync(up.service('tool', 'config.json'), '{"a":1}\n');
      up.child.kill('SIGKILL');
      await up.ended;
      const again = await Up.start(t, { stateDir: up.stateDir, control });
      if (control) await withPlane(again);
      const changes = (): unknown[] =>
        linesIn(readFileSync(again.service('tool', 'HISTORY.ndjson'), 'utf8'))
          .map(({ change }) => change)
          .sort();
      await until(() => changes().length >= 4, 'what the node had not sent');
      t.same(changes(), ['added', 'config', 'disabled', 'updated']);
    }
  },
);

t.test(
  'watch --diff prints each change of a descriptor as it comes, to each as he may know it',
  async (t) => {
    const up = await Up.start(t, { manifests: [tool('one')], control: true });
    await withPlane(up);
    const watching = (role: 'admin' | 'user', ...args: string[]): { text: string } => {
      const said = { text: '', err: '' };
      const token = join(up.stateDir, `${role}.token`);
      const child = spawn(
        process.execPath,
        [PROGRAM, 'watch', '--diff', '--state-dir', up.stateDir, '--token-file', token, ...args],
        {
          env: { ...cleanEnvironment(), NO_COLOR: '1' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said.text += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
      t.teardown(() => child.kill('SIGKILL'));
      return Object.defineProperty(said, 'ready', { get: () => said.err.includes('Watching.') });
    };
    const [admin, user, json] = [watching('admin'), watching('user'), watching('admin', '--json')];
    await until(
      () => [admin, user, json].every((one) => (one as never as { ready: boolean }).ready),
      'the watches',
    );
    await save(up, tool('two', { permissions: { allow_roles: ['admin'] } }));
    await save(up, tool('three'));
    await save(up, tool('four'));
    await until(
      () => [admin, user, json].every(({ text }) => text.includes('"four"') || text.includes('\\"four\\"')),
      'the diffs',
    );
    t.match(
      admin.text,
      /~tool[^\n]*\n--- tool\/\d+\.json\n\+\+\+ tool\/\d+\.json\n@@[^]*- {2}"help_md": "one",\n\+ {2}"help_md": "two",/,
    );
    t.match(
      user.text,
      /^--- tool\/\d+\.json\n\+\+\+ tool\/\d+\.json\n@@[^]*- {2}"help_md": "three",\n\+ {2}"help_md": "four",/m,
    );
    t.notMatch(user.text, 'two');
    const events = linesIn(json.text.slice(0, json.text.lastIndexOf('\n') + 1)).filter(
      ({ kind }) => kind === 'services',
    );
    t.match(events[0], { diffs: [{ service_id: 'tool', diff: /\+ {2}"help_md": "two"/ }] });
  },
);
