import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { link, lstat, readFile, readdir, readlink, rename } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { mountDirFor } from '../support/mount-child.js';
import { Program } from '../support/plane-processes.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { answersFrom, HostileNode, type Lie } from './fixtures/hostile-node.js';

/** Where the links of a hostile node would lead a reader who follows them. */
const OUT = {
  absolute: '/etc/passwd',
  above: '../../../../../../session.json',
  node: '../../../../n1/NODE.json',
  pairing: '../../../../../control/pairing/invites/create.json',
  service: '../../other/README.md',
  turning: 'down/../../../other/README.md',
};
const links = Object.keys(OUT).map((name, i): [string, number] => [name, 20 + i]);
const lies: Record<number, Lie> = {
  1: { kind: 'dir', entries: { services: 2, fs: 3 } },
  2: { kind: 'dir', entries: { evil: 4, other: 5 } },
  3: { kind: 'dir', entries: { files: 6 } },
  4: { kind: 'dir', entries: { control: 7, jobs: 10 } },
  5: { kind: 'dir', entries: { 'README.md': 8 } },
  6: { kind: 'dir', entries: { ...Object.fromEntries(links), within: 9, 'README.md': 8 } },
  7: { kind: 'dir', entries: { 'invoke.json': 12 } },
  8: { kind: 'file', text: 'of another\n' },
  9: { kind: 'symlink', target: 'README.md' },
  10: { kind: 'dir', entries: { ...Object.fromEntries(links), latest: 11, 'j-1': 8 } },
  11: { kind: 'symlink', target: 'j-1' },
  12: { kind: 'symlink', target: '../../../../n1/services/echo/control/invoke.json' },
  ...Object.fromEntries(
    Object.values(OUT).map((target, i): [number, Lie] => [20 + i, { kind: 'symlink', target }]),
  ),
};

const under = await PlaneWithNode.start(t, 'here', []);
await HostileNode.join(t, {
  url: under.plane.url,
  invite: under.plane.control.store.pairing.createInvite(60_000).token,
  nodeName: 'n2',
  services: ['evil', 'other'].map((id) => shellManifest(id, 'cat')),
  answering: answersFrom(lies),
});
const tokenFile = join(temporaryDir(t), 'token');
writeFileSync(tokenFile, under.token('admin'), { mode: 0o600 });
const asAdmin = ['--control-url', under.plane.url, '--token-file', tokenFile];

async function mounted(more: readonly string[] = []): Promise<string> {
  const dir = mountDirFor(t);
  const state = ['--state-dir', join(dir, '..', 'state')];
  const program = new Program(t, ['mount', dir, ...asAdmin, ...state, ...more]);
  await program.says(/Mounted on/);
  return dir;
}

t.test(
  'links of a node that lead out of a service are shown, and refused by the control plane',
  async (t) => {
    const { files } = await under.session({ token: under.token('admin') });
    for (const name of Object.keys(OUT)) {
      const found = await files.ask(
        't_fs_lookup',
        { node: 1 },
        { path: `nodes/n2/services/evil/jobs/${name}` },
      );
      t.equal(found.payload['kind'], 'symlink', name);
      const answer = await files.ask('t_fs_readlink', { node: found.payload['node'] });
      t.match(answer, { ok: false, error: { errno: 13 } }, name);
    }
    const latest = await files.ask(
      't_fs_lookup',
      { node: 1 },
      { path: 'nodes/n2/services/evil/jobs/latest' },
    );
    const answer = await files.ask('t_fs_readlink', { node: latest.payload['node'] });
    t.equal(answer.payload['target'], 'j-1', 'a link that stays is shown');
  },
);

t.test('a mount shows such links and follows none, unless it may for exports', async (t) => {
  const [careful, following] = await Promise.all([mounted(), mounted(['--follow-outside-links'])]);
  for (const name of Object.keys(OUT)) {
    for (const dir of [careful, following]) {
      const path = join(dir, 'nodes/n2/services/evil/jobs', name);
      t.ok((await lstat(path)).isSymbolicLink(), name);
      await t.rejects(readFile(path), { code: 'EACCES' }, `${name} of a service`);
    }
    const path = (dir: string): string => join(dir, 'nodes/n2/fs/files', name);
    await t.rejects(readlink(path(careful)), { code: 'EACCES' }, `${name} of an export`);
    t.equal(await readlink(path(following)), OUT[name as keyof typeof OUT]);
  }
  t.ok((await readdir(join(careful, 'nodes/n2/fs/files'))).includes('absolute'));
  t.equal(await readFile(join(careful, 'nodes/n2/fs/files/within'), 'utf8'), 'of another\n');
  t.equal(await readlink(join(careful, 'nodes/n2/services/evil/jobs/latest')), 'j-1');
});

t.test('cat follows no link that leads out, and invoke writes through none', async (t) => {
  const paths = ['services/evil/jobs/node', 'fs/files/absolute'];
  for (const path of paths) {
    const said = await acheron(['cat', `/nodes/n2/${path}`, ...asAdmin]);
    t.equal(said.status, 1, path);
    t.match(said.stderr, /not followed. \(EACCES\)/);
  }
  const said = await acheron(['invoke', 'n2/evil', '{}', ...asAdmin]);
  t.not(said.status, 0);
  t.match(said.stderr, /EIO/, 'a node shows no link where a service has its controls');
});

t.test(
  'a link in an export is judged by where it is: moved or linked elsewhere, by its new place',
  async (t) => {
    const top = temporaryDir(t);
    const dir = mountDirFor(t);
    mkdirSync(join(top, 'shared/a/b'), { recursive: true });
    writeFileSync(join(top, 'beside'), 'beside the export\n');
    writeFileSync(join(top, 'shared/inside'), 'inside\n');
    symlinkSync('../../inside', join(top, 'shared/a/b/up'));
    symlinkSync('a/b', join(top, 'shared/down'));
    symlinkSync('../beside', join(top, 'shared/out'));
    const state = ['--state-dir', join(top, 'state'), '--services-dir', join(top, 'none')];
    mkdirSync(join(top, 'none'));
    const up = new Program(t, [
      'up',
      dir,
      ...state,
      '--port',
      '0',
      '--export',
      `w=${join(top, 'shared')}:rw`,
    ]);
    await up.says(/[Mm]ounted/);
    const at = (path: string): string => join(dir, 'nodes/local/fs/w', path);
    t.equal(await readFile(at('a/b/up'), 'utf8'), 'inside\n');
    t.equal(await readFile(at('down/up'), 'utf8'), 'inside\n');
    await t.rejects(readFile(at('out')), { code: 'EACCES' });
    await link(at('a/b/up'), at('linked'));
    t.equal(await readFile(at('a/b/up'), 'utf8'), 'inside\n');
    await t.rejects(readFile(at('linked')), { code: 'EACCES' }, 'a further name of the same link');
    t.equal(await readFile(at('a/b/up'), 'utf8'), 'inside\n');
    await rename(at('a/b/up'), at('a/moved'));
    await t.rejects(readFile(at('a/moved')), { code: 'EACCES' });
    await rename(at('a/moved'), at('a/b/again'));
    t.equal(await readFile(at('a/b/again'), 'utf8'), 'inside\n');
  },
);
