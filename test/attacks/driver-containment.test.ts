import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog, type JsonObject } from '../../lib/core/index.js';
import { isAlive } from '../support/drivers.js';
import { shellManifest, temporaryDir, TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

// A driver, a probe or a terminal that tries to become more than it was started as, to use what it was not
// given, or to outlive its call.

const isRoot = process.getuid!() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
const STATUS = `grep NoNewPrivs /proc/self/status | tr -d '\\t'`;

async function invoke(node: TestNode, serviceId: string, request: JsonObject = {}): Promise<JsonObject> {
  await node.write(node.path(serviceId, 'control/invoke.json'), JSON.stringify(request));
  return node.json<JsonObject>(node.path(serviceId, 'result.json'));
}

t.test('nothing that a node starts can gain privileges, in any mode', async (t) => {
  const written = join(temporaryDir(t), 'probe');
  const answer = `cat >/dev/null; printf '{"status":"%s"}' "$(${STATUS})"`;
  const frames = `while read -r line; do id=$(printf %s "$line" | sed 's/.*"id":"\\([^"]*\\)".*/\\1/'); printf '{"id":"%s","result":{"status":"%s"}}\\n' "$id" "$(${STATUS})"; done`;
  const node = await TestNode.start(
    t,
    [
      shellManifest('oneshot', answer),
      shellManifest('warm', answer, { runtime: { mode: 'warm' } }),
      shellManifest('persistent', frames, { runtime: { mode: 'persistent' } }),
      shellManifest('probed', answer, {
        runtime: {
          probe: { type: 'exec', command: ['/bin/sh', '-c', `${STATUS} > ${written}`], interval_ms: 1000 },
        },
      }),
    ],
    { terminals: ['t1'] },
  );
  for (const id of ['oneshot', 'warm', 'persistent'])
    t.match(await invoke(node, id), { status: 'NoNewPrivs:1' }, id);
  t.match(await invoke(node, 'terminal-t1', { command: STATUS }), { stdout: 'NoNewPrivs:1\n' }, 'terminal');
  await until(() => existsSync(written) && readFileSync(written, 'utf8') !== '', 'the probe has run');
  t.equal(readFileSync(written, 'utf8'), 'NoNewPrivs:1\n', 'probe');
});

t.test(
  'a set-id shell that somebody left gives a driver and a terminal nothing',
  { skip: isRoot ? false : 'only root can leave a set-id file of another user' },
  async (t) => {
    const dir = temporaryDir(t);
    chmodSync(dir, 0o755);
    const trap = join(dir, 'id');
    copyFileSync('/usr/bin/id', trap);
    chmodSync(trap, 0o6755);
    const node = await TestNode.start(
      t,
      [shellManifest('climber', `cat >/dev/null; printf '{"uid":"%s"}' "$(${trap} -u)"`)],
      { terminals: ['t1'], driverUser: NOBODY },
    );
    t.match(await invoke(node, 'climber'), { uid: '65534' });
    t.notMatch(await invoke(node, 'terminal-t1', { command: `${trap} -u` }), { stdout: '0\n' });
  },
);

t.test(
  'a driver gets no descriptor that it was not given, however high and however it was opened',
  async (t) => {
    const node = await TestNode.start(t, [
      shellManifest(
        'looker',
        `cat >/dev/null; printf '{"open":"%s"}' "$(readlink /proc/$$/fd/* | tr '\\n' ' ')"`,
      ),
      shellManifest(
        'warm',
        `cat >/dev/null; printf '{"open":"%s"}' "$(readlink /proc/$$/fd/* | tr '\\n' ' ')"`,
        {
          runtime: { mode: 'warm' },
        },
      ),
    ]);
    const secret = join(temporaryDir(t), 'secret');
    writeFileSync(secret, 'secret');
    const fd = openSync(secret, 'r');
    t.teardown(() => closeSync(fd));
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const dup2 = libc.func('int dup2(int from, int to)');
    t.equal(dup2(fd, 200), 200);
    t.teardown(() => closeSync(200));
    for (const id of ['looker', 'warm']) {
      const { open } = await invoke(node, id);
      t.notMatch(open, /secret/, id);
    }
  },
);

const ESCAPES: Readonly<Record<string, string>> = {
  'a new session': 'setsid sleep 300 & echo $!',
  'a new session, and its parent gone': "sh -c 'setsid sleep 300 & echo $!'",
  'a cleared environment': "setsid env -i sh -c 'echo $$; exec sleep 300' &",
  'a chain of sessions': "setsid sh -c 'setsid setsid sleep 300 & echo $!; sleep 300' &",
  'two of them with parents gone': 'sh -c \'setsid -f sh -c "echo \\$\\$; exec sleep 300"\'',
};

for (const [name, script] of Object.entries(ESCAPES))
  t.test(`what leaves its driver by ${name} is gone when the call is answered`, async (t) => {
    const pids = join(temporaryDir(t), 'pids');
    const run = `cat >/dev/null; { ${script}
      } > ${pids}; while ! [ -s ${pids} ]; do :; done`;
    const node = await TestNode.start(t, [
      shellManifest('plain', `${run}; echo '{}'`),
      shellManifest('stuck', `${run}; exec sleep 300`, { runtime: { timeout_ms: 700, kill_grace_ms: 100 } }),
    ]);
    await invoke(node, 'plain');
    checkGone(t, pids);
    // A loaded machine may not have begun in the time that is short on purpose.
    do await t.rejects(invoke(node, 'stuck'), { code: 'ETIMEDOUT' });
    while (statSync(pids).size === 0);
    checkGone(t, pids);
  });

function checkGone(t: Test, file: string): void {
  const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number);
  t.ok(pids.length > 0 && pids.every((pid) => pid > 1));
  for (const pid of pids) {
    const isLeft = isAlive(pid);
    if (isLeft) process.kill(pid, 'SIGKILL');
    t.notOk(isLeft);
  }
  writeFileSync(file, '');
}

t.test('what a running call has left to itself lives as long as the call', async (t) => {
  const pids = join(temporaryDir(t), 'pids');
  const go = join(temporaryDir(t), 'go');
  const node = await TestNode.start(t, [
    shellManifest(
      'slow',
      `cat >/dev/null; setsid -f sh -c 'echo $$ > ${pids}; exec sleep 300'; while ! [ -e ${go} ]; do sleep 0.01; done; echo '{}'`,
    ),
    shellManifest('quick', 'cat'),
  ]);
  const slow = invoke(node, 'slow');
  await until(() => existsSync(pids) && readFileSync(pids, 'utf8') !== '', 'it has left');
  const pid = Number(readFileSync(pids, 'utf8'));
  await invoke(node, 'quick');
  t.ok(isAlive(pid), 'the end of another call is none of its affair');
  writeFileSync(go, '');
  await slow;
  t.notOk(isAlive(pid));
});

t.test('processes that the program itself started are left alone', async (t) => {
  const node = await TestNode.start(t, [shellManifest('quick', 'cat')]);
  const { spawn } = await import('node:child_process');
  const child = spawn('sleep', ['300']);
  t.teardown(() => child.kill('SIGKILL'));
  await invoke(node, 'quick');
  t.ok(isAlive(child.pid!));
  t.equal(execFileSync('echo', ['heard'], { encoding: 'utf8' }), 'heard\n');
});

t.test('a node of root that names no driver user says so once, and one that does is silent', async (t) => {
  if (!isRoot) return;
  const warned: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
  const ofRoot = (): string[] => warned.filter((message) => /run as root/.test(message));
  await TestNode.start(t, [], { log });
  t.match(ofRoot(), [/^Drivers run as root: .*--driver-user/]);
  t.equal(ofRoot().length, 1);
  await TestNode.start(t, [], { log, terminals: ['t1'] });
  t.match(ofRoot().slice(1), [/^Drivers/, /^Terminals run as root: .*--terminal-user/]);
  warned.length = 0;
  await TestNode.start(t, [], { log, driverUser: NOBODY, terminals: ['t1'] });
  t.same(ofRoot(), []);
});
