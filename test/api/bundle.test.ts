import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import t from 'tap';
import { PROGRAM, Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

const top = resolve(import.meta.dirname, '../../..');

t.test('the program that the package installs calls services of every kind', async (t) => {
  const dir = temporaryDir(t);
  const module = join(dir, 'twice.mjs');
  writeFileSync(module, 'export async function invoke({ n }) { return { n: 2 * n }; }\n', { mode: 0o600 });
  const twice = { service_id: 'twice', kind: 'test', runtime: { type: 'module', module_path: module } };
  const up = await Up.start(t, { bundled: true, control: true, manifests: [twice] });
  const call = (service: string, request: object): unknown => {
    writeFileSync(up.service(service, 'control/invoke.json'), JSON.stringify(request));
    return JSON.parse(readFileSync(up.service(service, 'result.json'), 'utf8')) as unknown;
  };
  t.match(call('twice', { n: 21 }), { n: 42 }, 'in a thread');
  t.match(call('text-stats', { text: 'one two\n' }), { words: 2 }, 'in a sandbox');
  t.match(JSON.stringify(call('echo', { text: 'hi' })), /"hi"/, 'in a process');
  t.match(
    call('text-stats', { text: 'word '.repeat(200_000) }),
    { words: 200_000 },
    'of a request that is large',
  );
  t.throws(() => call('text-stats', { text: 1 }), { code: 'EINVAL' });
  t.match(readFileSync(up.service('text-stats', 'last_error.txt'), 'utf8'), /text/);
  const status = spawnSync(process.execPath, [PROGRAM, 'status', '--json', '--state-dir', up.stateDir], {
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  t.match(JSON.parse(status.stdout), { control_plane: { role: 'admin' }, local_services: Array });
  t.equal(await up.stop(), 0, up.said);
});

t.test('it has all that it starts by a path', (t) => {
  const there = readdirSync(resolve(PROGRAM, '..'));
  const started = readdirSync(join(top, 'dist/lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => [
      ...readFileSync(join(top, 'dist/lib', name), 'utf8').matchAll(
        /new URL\('\.\/([^']+)', import\.meta\.url\)|join\(import\.meta\.dirname, '([^'.]+\.js)'\)/g,
      ),
    ])
    .map(([, thread, process]) => thread ?? process!);
  t.ok(started.length >= 6, started.join(' '));
  for (const name of started) t.ok(there.includes(basename(name)), name);
  const doctor = spawnSync(process.execPath, [PROGRAM, 'doctor'], {
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  t.match(doctor.stdout, /The kernel binding mounts here, as was tried/);
  t.end();
});

t.test('a bug in it is reported with the name and the source of what failed', (t) => {
  const files = readdirSync(resolve(PROGRAM, '..'));
  for (const name of files.filter((name) => name.endsWith('.js'))) t.ok(files.includes(`${name}.map`), name);
  const { sources } = JSON.parse(readFileSync(`${PROGRAM}.map`, 'utf8')) as { sources: string[] };
  t.ok(
    sources.some((source) => source.endsWith('bin/acheron.ts')),
    sources.join(' '),
  );
  t.end();
});
