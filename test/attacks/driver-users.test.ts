import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { shellManifest, temporaryDir, TestNode } from '../support/test-node.js';
import { isAlive } from '../support/drivers.js';
import { until } from '../support/until.js';

// A driver that looks for what belongs to another service of the same node, as the user that it runs as.

const isRoot = process.getuid!() === 0;
const skip = isRoot ? false : 'only root can run drivers as somebody else';
const NOBODY = { uid: 65_534, gid: 65_534 };
const READ_CONFIG = 'cat "$ACHERON_CALL_CONFIG_FILE"';

async function invoke(node: TestNode, serviceId: string, request: JsonObject = {}): Promise<JsonObject> {
  await node.write(node.path(serviceId, 'control/invoke.json'), JSON.stringify(request));
  return node.json<JsonObject>(node.path(serviceId, 'result.json'));
}

/** Answers each frame with what `script` prints; `$file` is its config. */
const FRAMES = `while read -r line; do
  id=$(printf %s "$line" | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
  file=$(printf %s "$line" | sed 's/.*"config_file":"\\([^"]*\\)".*/\\1/')
  printf '{"id":"%s","result":%s}\\n' "$id" "$(tr -d '\\n' < "$file")"
done`;

const MODULE = `import { readFileSync } from 'node:fs';
export const invoke = async (_payload, { configFile }) => JSON.parse(readFileSync(configFile, 'utf8'));`;

for (const driverUser of isRoot ? [null, NOBODY] : [null])
  t.test(
    `drivers of each mode read their config${driverUser === null ? '' : ', as a user that owns nothing'}`,
    async (t) => {
      const module = join(temporaryDir(t), 'module.mjs');
      writeFileSync(module, MODULE);
      const node = await TestNode.start(
        t,
        [
          shellManifest('oneshot', `cat >/dev/null; ${READ_CONFIG}`),
          shellManifest(
            'warm',
            `cat >/dev/null; ${READ_CONFIG.replace('$ACHERON_CALL_CONFIG_FILE', '/dev/fd/20')}`,
            {
              runtime: { mode: 'warm' },
            },
          ),
          shellManifest('persistent', FRAMES, { runtime: { mode: 'persistent' } }),
          ...(driverUser === null
            ? [
                {
                  service_id: 'module',
                  kind: 'test',
                  permissions: { allow_roles: ['admin'] },
                  runtime: { type: 'module', module_path: module },
                },
              ]
            : []),
        ],
        { driverUser },
      );
      for (const id of ['oneshot', 'warm', 'persistent', ...(driverUser === null ? ['module'] : [])]) {
        t.same(await invoke(node, id), {}, `${id}: none yet`);
        for (const secret of ['one', 'two, which is longer', '3']) {
          await node.write(node.path(id, 'config.json'), JSON.stringify({ secret }));
          t.same(await invoke(node, id), { secret }, id);
          t.same(await invoke(node, id), { secret }, `${id} again`);
        }
      }
    },
  );

t.test('a config is in no folder, and a driver cannot change what it was given', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest(
      'look',
      `cat >/dev/null; { echo '{"secret":"mine"}' > "$ACHERON_CALL_CONFIG_FILE"; } 2>/dev/null; ${READ_CONFIG}`,
    ),
  ]);
  await node.write(node.path('look', 'config.json'), '{"secret":"kept"}');
  t.same(await invoke(node, 'look'), { secret: 'kept' });
  t.notOk(existsSync(join(node.dir, 'state.json.configs')));
  t.notOk(existsSync('/run/acheron/n1'));
});

const SPY = `cat >/dev/null; pid=$(cat $TARGET)
  kill -TERM $pid 2>/dev/null && killed=yes || killed=no
  environment=$(tr '\\0' ' ' < /proc/$pid/environ 2>/dev/null | wc -c)
  config=$(cat /proc/$pid/fd/20 2>/dev/null | wc -c)
  printf '{"uid":%s,"killed":"%s","environment":%s,"config":%s}' "$(id -u)" $killed $environment $config`;

t.test('with a user for each service, one cannot signal another nor look into it', { skip }, async (t) => {
  const dir = temporaryDir(t);
  chmodSync(dir, 0o755);
  const shared = join(dir, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  const pid = join(shared, 'pid');
  const go = join(shared, 'go');
  const victim = `cat >/dev/null; echo $$ > ${pid}; while ! [ -e ${go} ]; do sleep 0.01; done; printf '{"uid":%s}' "$(id -u)"`;
  const manifests = [
    shellManifest('victim', victim, { runtime: { env: { PASSWORD: 'hidden' } } }),
    shellManifest('spy', SPY, { runtime: { env: { TARGET: pid } } }),
  ];
  const node = await TestNode.start(t, manifests, {
    driverUser: null,
    dynamicDriverUsers: true,
    terminals: ['t1'],
  });
  await node.write(node.path('victim', 'config.json'), '{"secret":"hidden"}');
  const called = invoke(node, 'victim');
  await until(() => existsSync(pid) && readFileSync(pid, 'utf8') !== '', 'the victim runs');
  const spied = await invoke(node, 'spy');
  t.match(spied, { killed: 'no', environment: 0, config: 0 });
  const { stdout } = await invoke(node, 'terminal-t1', {
    command: `export TARGET=${pid}; echo | { ${SPY}; }`,
  });
  const byTerminal = JSON.parse(stdout as string) as JsonObject;
  t.match(byTerminal, { killed: 'no', environment: 0, config: 0 });
  writeFileSync(go, '');
  const { uid } = await called;
  const uids = [uid, spied['uid'], byTerminal['uid']] as number[];
  t.equal(new Set(uids).size, 3);
  const known = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => Number(line.split(':')[2]));
  t.ok(uids.every((each) => each >= 61_184 && each <= 65_519 && !known.includes(each)));
  await node.restart();
  t.equal((await invoke(node, 'victim'))['uid'], uid, 'a service keeps its user');
});

t.test('a terminal is not the user of the drivers, and is whom the node says', { skip }, async (t) => {
  const uidOf = async (options: object): Promise<unknown> => {
    const node = await TestNode.start(t, [], { terminals: ['t1'], ...options });
    return (await invoke(node, 'terminal-t1', { command: 'id -u' }))['stdout'];
  };
  t.match(await uidOf({ driverUser: NOBODY }), /^6[1-5]\d{3}\n$/);
  t.not(await uidOf({ driverUser: NOBODY }), '65534\n');
  t.equal(await uidOf({ driverUser: NOBODY, terminalUser: { uid: 12_345, gid: 12_345 } }), '12345\n');
});

t.test("a manifest's own user is that of its probes, too", { skip }, async (t) => {
  const written = join(temporaryDir(t), 'written');
  writeFileSync(written, '');
  chmodSync(written, 0o666);
  chmodSync(join(written, '..'), 0o755);
  const node = await TestNode.start(
    t,
    [
      shellManifest('named', `cat >/dev/null; printf '{"uid":%s}' "$(id -u)"`, {
        runtime: {
          user: '12345',
          probe: { type: 'exec', command: ['sh', '-c', `id -u > ${written}`], interval_ms: 1000 },
        },
      }),
    ],
    { driverUser: NOBODY },
  );
  t.match(await invoke(node, 'named'), { uid: 12_345 });
  await until(() => readFileSync(written, 'utf8') !== '', 'the probe has run');
  t.equal(readFileSync(written, 'utf8'), '12345\n');
});

t.test('a module runs as the user of its service, in a process of its own', { skip }, async (t) => {
  const dir = temporaryDir(t);
  chmodSync(dir, 0o755);
  const module = join(dir, 'module.mjs');
  writeFileSync(
    module,
    `import { readFileSync } from 'node:fs';
    let calls = 0;
    export const invoke = async ({ act }, { config, configFile, signal }) => {
      if (act === 'exit') process.exit(3);
      if (act === 'hang') await new Promise((done) => signal.addEventListener('abort', done));
      if (act === 'loop') for (;;);
      console.error('said');
      const status = readFileSync('/proc/self/status', 'utf8');
      return {
        uid: process.getuid(), pid: process.pid, calls: ++calls, config,
        file: JSON.parse(readFileSync(configFile, 'utf8')),
        home: process.env.HOME, privileges: /NoNewPrivs:\\s*(\\d)/.exec(status)[1],
      };
    };`,
  );
  const runtime = { type: 'module', module_path: module, timeout_ms: 2000, kill_grace_ms: 200 };
  const permissions = { allow_roles: ['admin'] };
  const node = await TestNode.start(
    t,
    [
      { service_id: 'own', kind: 'test', runtime, permissions },
      { service_id: 'named', kind: 'test', runtime: { ...runtime, user: '12345' }, permissions },
    ],
    { driverUser: NOBODY },
  );
  await node.write(node.path('own', 'config.json'), '{"level":1}');
  const first = await invoke(node, 'own');
  t.match(first, { uid: 65_534, config: { level: 1 }, file: { level: 1 }, privileges: '1', calls: 1 });
  t.not(first['pid'], process.pid);
  const { invocation_id } = await node.json(node.path('own', 'status.json'));
  t.equal(await node.read(node.path('own', `jobs/${invocation_id as string}/stderr`)), 'said\n');
  await node.write(node.path('own', 'config.json'), '{"level":2}');
  t.match(await invoke(node, 'own'), { pid: first['pid'] as number, calls: 2, file: { level: 2 } });
  t.match(await invoke(node, 'named'), { uid: 12_345 });
  await t.rejects(invoke(node, 'own', { act: 'exit' }), { code: 'EIO' });
  await t.rejects(invoke(node, 'own', { act: 'hang' }), { code: 'ETIMEDOUT' });
  await t.rejects(invoke(node, 'own', { act: 'loop' }), { code: 'ETIMEDOUT' });
  const last = await invoke(node, 'own');
  t.match(last, { uid: 65_534, calls: 1 });
  await node.node.close();
  t.notOk(isAlive(last['pid'] as number), 'and ends with the node');
});

t.test('a service gets no user where no number is free, and says so', { skip }, async (t) => {
  const node = await TestNode.start(t, [shellManifest('first', 'cat'), shellManifest('second', 'cat')], {
    driverUser: null,
    dynamicDriverUsers: true,
    uidRange: { first: 61_200, last: 61_200 },
  });
  const outcomes = await Promise.allSettled([invoke(node, 'first'), invoke(node, 'second')]);
  const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  t.equal(refused.length, 1);
  t.match(refused[0]?.reason, { code: 'EIO', hint: /--driver-uid-range/ });
});
