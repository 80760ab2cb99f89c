import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron, Up } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.test(
  'a persistent driver that ends is named by its service, with what its program said of it',
  async (t) => {
    const script = "process.stdin.resume(); require('/nowhere/at-all.js')";
    const manifest = {
      service_id: 'gone',
      kind: 'test',
      version: '1.0.0',
      runtime: {
        type: 'native_proc',
        mode: 'persistent',
        executable_path: process.execPath,
        args: ['-e', script],
      },
    };
    const up = await Up.start(t, { manifests: [manifest] });
    await until(() => up.said.includes('A persistent driver ended.'), 'the end of the driver in the log');
    const line = up.said.split('\n').find((said) => said.includes('A persistent driver ended.'));
    t.match(line, /service=gone\b/);
    t.match(line, /Cannot find module '\/nowhere\/at-all\.js'/, 'not the last lines of its trace alone');
  },
);

t.test('a call whose driver ended with a trace fails with what was thrown', async (t) => {
  const up = await Up.start(t, {
    manifests: [
      shellManifest('throws', `exec ${process.execPath} -e 'throw new TypeError("no such colour")'`),
    ],
  });
  const { status, stderr } = await acheron(['invoke', 'throws', '{}', '--state-dir', up.stateDir]);
  t.equal(status, 1);
  t.match(stderr, /^EIO: The driver exited with status 1: TypeError: no such colour$/m);
});

t.test('a directory above the manifests is not taken for theirs without a word', async (t) => {
  const above = temporaryDir(t);
  const below = join(above, 'services');
  mkdirSync(below);
  writeFileSync(join(below, 'cat.json'), JSON.stringify(shellManifest('cat', 'cat')));
  const up = await Up.start(t, { args: ['--services-dir', above] });
  t.match(up.said, `The services directory ${above} has no manifests; ${below} has.`);
  t.match(up.said, `--services-dir ${below}`);
  t.notMatch(up.said, `The services directory ${up.manifests}`, 'one that is empty is no fault');
});

t.test('a warning of a manifest has a hint, or none: never an empty one', async (t) => {
  const up = await Up.start(t, {
    manifests: [
      { ...shellManifest('cat', 'cat'), colour: 'red' },
      { service_id: 'odd', kind: 'test', version: '1.0.0', runtime: { type: 'command' } },
    ],
  });
  await until(() => /"colour"/.test(up.said) && /"command"/.test(up.said), 'both warnings');
  t.notMatch(up.said, 'hint=""');
  t.match(up.said, /type "command"[^\n]+native_proc/);
});

t.test(
  'add and rm are about files of this machine, whatever control plane the environment names',
  async (t) => {
    const folder = temporaryDir(t);
    const env = { ACHERON_STATE_DIR: join(folder, 'state'), ACHERON_CONTROL_URL: 'ws://127.0.0.1:1' };
    const said = ['shout', '--services-dir', folder];
    const added = await acheron(['add', 'cmd', ...said, '--', 'tr', 'a-z', 'A-Z'], { env });
    t.match(added, { status: 0, stderr: /once a node follows its folder/ });
    t.match(JSON.parse(readFileSync(join(folder, 'shout.json'), 'utf8')), { service_id: 'shout' });
    t.match(await acheron(['rm', ...said], { env }), { status: 0, stdout: /removed/ });
  },
);
