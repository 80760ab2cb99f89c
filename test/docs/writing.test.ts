import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { mountIn, program, top } from './mounted.js';

interface Way {
  readonly name: string;
  readonly command: string;
  /** Exit statuses: success, the driver fails, not JSON, incomplete. */
  readonly statuses: readonly number[];
}

/** The rows of the tables in docs/WRITING.md. */
function waysInDocument(): Way[] {
  const rows = readFileSync(join(top, 'docs/WRITING.md'), 'utf8').matchAll(
    /^\| ([^|]+) \| `([^|]+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm,
  );
  return [...rows].map(([, name, command, ...statuses]) => ({
    name: name!,
    command: command!,
    statuses: statuses.map(Number),
  }));
}

const OUTCOMES = [
  { what: 'the driver succeeds', service: 'well', request: '{"a":1}' },
  { what: 'the driver fails', service: 'badly', request: '{"a":1}' },
  { what: 'the request is not JSON', service: 'well', request: '{"a":}' },
  { what: 'the request is incomplete', service: 'well', request: '{"a":1' },
];

const skip = existsSync(program) ? false : 'the acheron command is not built';

t.test('each way of writing reports what docs/WRITING.md says', { skip, timeout: 300_000 }, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'acheron-writing-'));
  const mounted = await mountIn(home);
  t.teardown(async () => {
    await mounted.stop();
    await rm(home, { recursive: true, force: true });
  });
  const { folder, env } = mounted;
  const services = join(folder, 'mnt/nodes/local/services');
  for (const [service, status] of [
    ['well', 0],
    ['badly', 1],
  ] as const)
    await offer(folder, service, `echo >> '${join(home, service)}.runs'; cat; exit ${status}`);
  await until(
    () => existsSync(join(services, 'well/control')) && existsSync(join(services, 'badly/control')),
  );

  const ways = waysInDocument();
  t.ok(ways.length > 25);
  for (const { name, command, statuses } of ways) {
    t.test(name, { skip: await lacks(command) }, async (t) => {
      for (const [index, { what, service, request }] of OUTCOMES.entries()) {
        const file = join(home, 'request.json');
        await writeFile(file, `${request}\n`);
        await writeFile(join(home, `${service}.runs`), '');
        const status = await shell(command, join(services, service, 'control'), {
          ...env,
          R: request,
          F: file,
        });
        t.equal(status, statuses[index], what);
        const runs = (await readFile(join(home, `${service}.runs`), 'utf8')).length;
        const works = statuses[0] === 0;
        t.equal(runs, works && request === '{"a":1}' ? 1 : 0, 'it runs at most once');
      }
    });
  }
});

/** A service that runs a line of shell. */
async function offer(folder: string, service: string, line: string): Promise<void> {
  const manifest = {
    service_id: service,
    kind: 'test',
    runtime: { type: 'native_proc', executable_path: 'sh', args: ['-c', line] },
    permissions: { allow_roles: ['admin'] },
  };
  await writeFile(join(folder, 'services', `${service}.json`), JSON.stringify(manifest));
}

/** Why the command cannot be tried here; false when it can. */
async function lacks(command: string): Promise<string | false> {
  const [word = ''] = command.split(' ');
  return (await shell(`command -v ${word}`, '/', process.env)) === 0 ? false : `there is no ${word}`;
}

/** The exit status of a command that gets nothing on stdin (vim in ex mode would wait for more). */
async function shell(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: 'ignore' });
  const [status] = (await once(child, 'exit')) as [number | null];
  return status ?? -1;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
