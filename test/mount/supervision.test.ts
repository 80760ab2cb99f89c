import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { PROGRAM, Up } from '../support/acheron.js';
import { fixture } from '../support/drivers.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { errnoOf, shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** How far apart health.json, the catalog and the watch may be, where no other load makes one of them late. */
const AGREE_MS = 1_000;
/** How long it may take to notice: a program that is gone is looked for every five seconds. */
const NOTICE_MS = 10_000;

t.test('what happens to a driver is the same in health.json, the catalog and the watch', async (t) => {
  const dir = temporaryDir(t);
  const isWell = join(dir, 'well');
  const program = join(dir, 'program');
  writeFileSync(isWell, '');
  writeFileSync(program, '#!/bin/sh\ncat\n');
  chmodSync(program, 0o755);
  const probe = {
    ...{ type: 'exec', command: ['test', '-e', isWell] },
    ...{ interval_ms: 100, timeout_ms: 5_000, healthy_after: 1, unhealthy_after: 1 },
  };
  const many = { executable_path: fixture('many.py'), args: ['--persistent'], mode: 'persistent' };
  const up = await Up.start(t, {
    control: true,
    args: ['--port', '0'],
    manifests: [
      shellManifest('lives', '', { runtime: many }),
      shellManifest('probed', 'cat', { runtime: { probe } }),
      shellManifest('moves', '', { runtime: { executable_path: program, args: [] } }),
      shellManifest('breaks', 'grep -q well'),
    ],
  });
  const json = (path: string): JsonObject => JSON.parse(readFileSync(path, 'utf8')) as JsonObject;
  const health = (id: string): string => json(up.service(id, 'health.json')).state as string;
  const catalog = (id: string): string => {
    const services = json(up.service('SERVICES.json')) as unknown as JsonObject[];
    return services.find((one) => one.service_id === id)!.state as string;
  };
  const invoke = (id: string, request: string): void =>
    writeFileSync(up.service(id, 'control/invoke.json'), request);

  await until(() => up.printed.includes('listens on ws'), 'the control plane');
  let watched = '';
  const watch = spawn(process.execPath, [PROGRAM, 'watch', '--json', '--state-dir', up.stateDir], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => watch.kill('SIGKILL'));
  watch.stdout.setEncoding('utf8').on('data', (text: string) => (watched += text));
  let said = '';
  watch.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => said.includes('Watching.'), 'the watch began');
  const transitions = (id: string): string[] =>
    watched
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { kind: string; details?: JsonObject })
      .filter((event) => event.kind === 'service_health' && event.details?.service_id === id)
      .map((event) => event.details!.to as string);

  const expected: Record<string, string[]> = { lives: [], probed: [], moves: [], breaks: [] };
  const lagsMs: number[] = [];
  const turns = async (id: string, state: string, cause: string): Promise<void> => {
    expected[id]!.push(state);
    await until(() => health(id) === state, `${id} is ${state} after ${cause}`, NOTICE_MS);
    const noticed = performance.now();
    await until(() => catalog(id) === state, `the catalog says ${state} after ${cause}`);
    const seen = (): boolean => transitions(id).length >= expected[id]!.length;
    await until(seen, `the watch says ${state} after ${cause}`);
    lagsMs.push(performance.now() - noticed);
    t.strictSame(transitions(id), expected[id], `${cause}: one event for each transition`);
  };

  rmSync(isWell);
  await turns('probed', 'degraded', 'its probe warned');
  t.equal(await errnoOf(() => invoke('probed', '{}')), null, 'a probe is advice: calls still run');
  writeFileSync(isWell, '');
  await turns('probed', 'online', 'its probe passed again');

  renameSync(program, `${program}.away`);
  await turns('moves', 'offline', 'its program was moved away');
  t.equal(await errnoOf(() => invoke('moves', '{}')), 'EIO');
  t.match(readFileSync(up.service('moves', 'last_error.txt'), 'utf8'), /does not exist/);
  renameSync(`${program}.away`, program);
  await turns('moves', 'online', 'its program came back');
  t.equal(await errnoOf(() => invoke('moves', '{}')), null);

  t.equal(await errnoOf(() => invoke('lives', '{"do":"exit","status":1}')), 'EIO');
  await turns('lives', 'offline', 'its process ended');
  await turns('lives', 'online', 'it was started again');
  t.equal(await errnoOf(() => invoke('lives', '{"do":"echo"}')), null);

  const supervision = { max_consecutive_failures: 2, cooldown_ms: 600_000 };
  writeFileSync(up.service('breaks', 'config.json'), JSON.stringify({ supervision }));
  for (const control of ['restart', 'enable']) {
    t.equal(await errnoOf(() => invoke('breaks', '{}')), 'EIO');
    t.equal(await errnoOf(() => invoke('breaks', '{}')), 'EIO');
    await turns('breaks', 'degraded', 'two calls failed');
    t.equal(await errnoOf(() => invoke('breaks', '{"is":"well"}')), 'EBUSY', 'it rests');
    t.match(readFileSync(up.service('breaks', 'last_error.txt'), 'utf8'), /Try again in \d+ ms/);
    t.ok((json(up.service('breaks', 'health.json')).cooldown_remaining_ms as number) > 0);
    writeFileSync(up.service('breaks', `control/${control}`), '1');
    await turns('breaks', 'online', `control/${control}`);
    t.equal(await errnoOf(() => invoke('breaks', '{"is":"well"}')), null);
  }
  t.match(json(up.service('breaks', 'health.json')), { restarts_total: 1, cooldown_remaining_ms: 0 });

  const median = lagsMs.toSorted((a, b) => a - b)[Math.floor(lagsMs.length / 2)];
  t.ok(median! < AGREE_MS, `they agree within ${lagsMs.map(Math.round).join(', ')} ms`);
});

t.test('limits of the manifest hold in worker threads, and a trap says what it was', async (t) => {
  const dir = temporaryDir(t);
  const module = join(dir, 'limits.mjs');
  writeFileSync(
    module,
    `export async function invoke({ do: what }) {
      while (what === 'spin');
      if (what === 'eat') for (const kept = []; ; ) kept.push(Array(100_000).fill(kept.length));
      if (what === 'print') return 'x'.repeat(10_000);
      if (what === 'throw') throw new Error('as it was asked');
      return {};
    }`,
  );
  const wasm = fixture('many.wasm');
  const limits = { timeout_ms: 20_000, memory_bytes: 64 * 1024 * 1024, max_output_bytes: 5_000 };
  const hasty = { ...limits, timeout_ms: 700 };
  const up = await Up.start(t, {
    manifests: [
      shellManifest('module', '', { runtime: { type: 'module', module_path: module, ...limits } }),
      shellManifest('wasm', '', { runtime: { type: 'wasm', module_path: wasm, ...limits } }),
      shellManifest('hasty-module', '', { runtime: { type: 'module', module_path: module, ...hasty } }),
      shellManifest('hasty-wasm', '', { runtime: { type: 'wasm', module_path: wasm, ...hasty } }),
    ],
  });
  for (const [id, request, errno, says] of [
    ['module', 'eat', 'EIO', /memory/],
    ['module', 'print', 'EIO', /5000 bytes/],
    ['module', 'throw', 'EIO', /as it was asked/],
    ['wasm', 'trap', 'EIO', /trapped: unreachable/],
  ] as const) {
    const invoke = (request: string): void =>
      writeFileSync(up.service(id, 'control/invoke.json'), `{"do":"${request}"}`);
    t.equal(await errnoOf(() => invoke(request)), errno, `${id} ${request}`);
    t.match(readFileSync(up.service(id, 'last_error.txt'), 'utf8'), says);
    t.equal(await errnoOf(() => invoke('echo')), null, 'the next call works');
  }
  for (const [id, request] of [
    ['hasty-module', 'spin'],
    ['hasty-wasm', 'hang'],
  ] as const) {
    const invoke = (request: string): void =>
      writeFileSync(up.service(id, 'control/invoke.json'), `{"do":"${request}"}`);
    t.equal(await errnoOf(() => invoke(request)), 'ETIMEDOUT', id);
    t.match(readFileSync(up.service(id, 'last_error.txt'), 'utf8'), /did not finish within 700 ms/);
    // A loaded machine may not answer in the time that is short on purpose.
    await until(async () => (await errnoOf(() => invoke('echo'))) === null, 'a call that works again');
  }
  writeFileSync(up.service('wasm', 'control/invoke.json'), '{"do":"hog"}');
  const { pages } = JSON.parse(readFileSync(up.service('wasm', 'result.json'), 'utf8')) as { pages: number };
  t.ok(pages > 512 && pages < 1024, `${pages} pages of 64 KiB fit into 64 MiB`);
});

t.test('limits of the manifest hold for a process, and the caller learns which', async (t) => {
  const script = join(temporaryDir(t), 'limits.py');
  writeFileSync(
    script,
    [
      'import json, os, sys',
      'do = json.load(sys.stdin)["do"]',
      'while do == "spin": pass',
      'if do == "eat": bytearray(400_000_000)',
      'if do == "open": kept = [open("/dev/null") for _ in range(50)]',
      'print(json.dumps({"uid": os.getuid(), "groups": os.getgroups()}))',
    ].join('\n'),
  );
  chmodSync(script, 0o755);
  const service = (id: string, limit: JsonObject): JsonObject =>
    shellManifest(id, '', { runtime: { executable_path: 'python3', args: ['-SE', script], ...limit } });
  const up = await Up.start(t, {
    manifests: [
      service('cpu', { cpu_seconds: 1 }),
      service('memory', { memory_bytes: 100_000_000 }),
      service('files', { open_files: 16 }),
    ],
  });
  for (const [id, request, says] of [
    ['cpu', 'spin', /SIGXCPU[^]*cpu_seconds/],
    ['memory', 'eat', /MemoryError/],
    ['files', 'open', /Too many open files/],
  ] as const) {
    const invoke = (request: string): void =>
      writeFileSync(up.service(id, 'control/invoke.json'), `{"do":"${request}"}`);
    t.equal(await errnoOf(() => invoke(request)), 'EIO', id);
    t.match(readFileSync(up.service(id, 'last_error.txt'), 'utf8'), says);
    t.equal(await errnoOf(() => invoke('nothing')), null, 'within the limit it works');
  }
});
