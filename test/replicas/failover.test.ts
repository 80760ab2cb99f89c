import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ControlClient, type CatalogEvent } from '../../lib/control/index.js';
import { quantile } from '../support/load.js';
import { PlaneProcesses, inviteThrough, linesOf, shell, untilOnline } from '../support/plane-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

/** Two addresses of one control plane, either of which may die, or say nothing any more. */
const plane = await PlaneProcesses.start(t);
const port = Number(new URL(plane.url).port);
const proxies = [await TcpProxy.start(() => port), await TcpProxy.start(() => port)] as const;
for (const proxy of proxies) t.teardown(() => proxy.close());
const urls = proxies.map(({ url }) => url).join(',');

const exported = temporaryDir(t);
writeFileSync(join(exported, 'large'), Buffer.alloc(2 * 1024 * 1024, 'abcdefg\n'));
const calls = join(exported, 'calls');
const direct = await plane.mount();
const node = plane.node('n1', [
  shellManifest('slow', `echo called >> ${calls}; sleep 1; cat`),
  shellManifest('quick', 'cat'),
]);
node.start(await inviteThrough(direct), [
  '--control-url',
  urls,
  '--export',
  `box=${exported}:as=${process.getuid!()}`,
]);
await untilOnline(direct, 'n1');
/** Only the mount goes over these addresses: the node holds one of the proxies too. */
const mount = await plane.mount('admin', ['--control-url', urls]);
await untilOnline(mount, 'n1');
const box = join(mount, 'nodes/n1/fs/box');

/** Two seconds are the aim; other tests run beside this one. */
const SUITE_MS = 4_000;

/** How long it takes until `act` has succeeded. */
async function took(act: () => Promise<unknown>): Promise<number> {
  return (await waited(act)).ms;
}

/** All that is connected goes over the one that is left, and may go over the other again. */
async function moved(from: TcpProxy): Promise<void> {
  await untilOnline(mount, 'n1');
  await until(() => from.connections === 0, 'nobody at the address that died');
}

t.test('a descriptor that is open is read on after the address in use has died', async (t) => {
  const times: number[] = [];
  for (let round = 0; round < 6; round++) {
    const dies = proxies[round % 2]!;
    const file = await open(join(box, 'large'));
    try {
      const first = Buffer.alloc(64 * 1024);
      await file.read(first, 0, first.length, 0);
      dies.refuse();
      const rest = Buffer.alloc(64 * 1024);
      times.push(await took(() => file.read(rest, 0, rest.length, 1024 * 1024 + round * 128 * 1024)));
      t.equal(rest.subarray(0, 8).toString(), 'abcdefg\n', 'what is read is the file');
      t.equal((await file.stat()).size, 2 * 1024 * 1024);
    } finally {
      await file.close();
    }
    await moved(dies);
    dies.refuse(false);
  }
  t.ok(quantile(times, 0.95) < SUITE_MS, `in ${times.map(Math.round).join(', ')} ms`);
});

t.test('reads, listings and calls that come while the address in use dies do not fail', async (t) => {
  const dies = proxies[0];
  let isOver = false;
  const failures: string[] = [];
  let done = 0;
  const reader = async (act: () => Promise<unknown>): Promise<void> => {
    while (!isOver) {
      await act().then(
        () => done++,
        (thrown: unknown) => failures.push(String(thrown)),
      );
    }
  };
  const readers = [
    reader(() => readFile(join(mount, 'nodes/n1/services/quick/status.json'))),
    reader(() =>
      stat(join(box, `nothing-${done}`)).catch((thrown: unknown) => {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      }),
    ),
    reader(() => readFile(join(box, 'large'))),
  ];
  await until(() => done > 20, 'some reads');
  for (const proxy of [dies, proxies[1]]) {
    proxy.refuse();
    const before = done;
    await until(() => proxy.connections === 0 && done > before + 20, 'reads over the other');
    proxy.refuse(false);
  }
  isOver = true;
  await Promise.all(readers);
  t.same(failures, []);
});

t.test('a silent address is left within moments', async (t) => {
  const times: number[] = [];
  for (let round = 0; round < 4; round++) {
    const dies = proxies[round % 2]!;
    const file = await open(join(box, 'large'));
    try {
      const before = Buffer.alloc(4096);
      await file.read(before, 0, before.length, 0);
      dies.swallow();
      const next = Buffer.alloc(4096);
      times.push(await took(() => file.read(next, 0, next.length, 512 * 1024 + round * 256 * 1024)));
      t.equal(next.subarray(0, 8).toString(), 'abcdefg\n');
    } finally {
      await file.close();
    }
    dies.refuse();
    dies.release();
    await moved(dies);
    dies.refuse(false);
  }
  t.ok(Math.max(...times) < SUITE_MS, `in ${times.map(Math.round).join(', ')} ms`);
});

t.test('a call that is in flight when its address dies is found by its key, and ran once', async (t) => {
  const service = join(mount, 'nodes/n1/services/slow');
  writeFileSync(calls, '');
  const calling = writeFile(join(service, 'control/invoke.json'), `{"_key":"k1","x":1}\n`).then(
    () => 'answered',
    (thrown: unknown) => (thrown as NodeJS.ErrnoException).code ?? '',
  );
  await until(() => linesOf(calls).length === 1, 'the call');
  for (const proxy of proxies) proxy.cut();
  const outcome = await calling;
  t.match(outcome, /^(EHOSTDOWN|answered)$/);
  const job = join(service, 'jobs/by-key/k1');
  await until(
    async () =>
      (JSON.parse(await readFile(join(job, 'status.json'), 'utf8')) as { state: string }).state === 'ok',
    'its result',
  );
  t.match(JSON.parse(await readFile(join(job, 'result.json'), 'utf8')), { x: 1 });
  await writeFile(join(service, 'control/invoke.json'), `{"_key":"k1","x":1}\n`);
  t.equal(linesOf(calls).length, 1, 'who asks again by the key is given what there is');
});

t.test('a watch goes on at another address: each event once, in order', async (t) => {
  const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
  const client = new ControlClient({ url: urls, token }).start();
  t.teardown(() => client.close());
  const events: CatalogEvent[] = [];
  client.watch({ onEvent: (event) => events.push(event) });
  await client.ready();
  const first = client.url;
  const projects = Array.from({ length: 12 }, (_, i) => `p${i}`);
  const admin = new ControlClient({ url: plane.url, token }).start();
  t.teardown(() => admin.close());
  for (const [i, project_id] of projects.entries()) {
    if (i === 4) proxies.find(({ url }) => url === first)!.refuse();
    await admin.request('project_create', { project_id });
  }
  await until(() => events.filter(({ kind }) => kind === 'project_changed').length >= 12, 'the events');
  const seen = events.filter(({ kind }) => kind === 'project_changed');
  t.same(
    seen.map(({ details }) => (details as { project_id: string }).project_id),
    projects,
  );
  t.not(client.url, first, 'it is elsewhere now');
  proxies.find(({ url }) => url === first)!.refuse(false);
});

t.test('status and doctor say which address is in use and which does not answer', async (t) => {
  proxies[0].refuse();
  const args = ['--control-url', urls, '--token-file', plane.tokenFile('admin')];
  const status = JSON.parse((await plane.run(['status', ...args, '--json'])).stdout) as {
    control_plane: { url: string; addresses: { url: string; state: string }[] };
  };
  t.equal(status.control_plane.url, proxies[1].url);
  t.same(
    status.control_plane.addresses.map(({ url, state }) => [url, state]),
    [
      [proxies[0].url, 'down'],
      [proxies[1].url, 'ready'],
    ],
  );
  const { stdout } = await plane.run(['doctor', '--control-url', urls, '--json']);
  const findings = (JSON.parse(stdout) as { check: string; state: string }[]).filter(
    ({ check }) => check === 'address',
  );
  t.same(
    findings.map(({ state }) => state),
    ['broken', 'fine'],
  );
  proxies[0].refuse(false);
  const shown = await shell(`ls ${mount}/nodes`);
  t.match(shown.stdout, /n1/, 'the mount is there all the while');
});

t.test('a descriptor whose file was replaced or removed meanwhile says so, and shows no other', async (t) => {
  const names = ['same', 'replaced', 'removed'];
  for (const name of [...names, 'other'])
    writeFileSync(join(exported, name), Buffer.alloc(2 * 1024 * 1024, `${name}\n`));
  const files = await Promise.all(names.map((name) => open(join(box, name))));
  const readAt = async (file: (typeof files)[number], at: number): Promise<string> => {
    const into = Buffer.alloc(4096);
    return file.read(into, 0, into.length, at).then(
      () => into.toString().split('\n')[1]!,
      // Node has no name for it.
      (thrown: unknown) => ((thrown as NodeJS.ErrnoException).errno === -116 ? 'ESTALE' : String(thrown)),
    );
  };
  for (const [at, file] of files.entries()) t.equal(await readAt(file, 0), names[at]);
  for (const proxy of proxies) proxy.cut();
  renameSync(join(exported, 'other'), join(exported, 'replaced'));
  rmSync(join(exported, 'removed'));
  const shown = await Promise.all(files.map((file) => readAt(file, 1024 * 1024)));
  t.same(shown, ['same', 'ESTALE', 'ESTALE']);
  await Promise.all(files.map((file) => file.close()));
  t.equal(
    (await readFile(join(box, 'replaced'), 'utf8')).slice(0, 6),
    'other\n',
    'opened anew it is what stands there',
  );
});
