import { closeSync, openSync, writeFileSync } from 'node:fs';
import { open, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { Program } from '../support/plane-processes.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const ECHO = shellManifest('echo', 'cat');
const SERVICES = 'nodes/n1/services';
const DOCUMENTS = ['nodes/NODES.json', `${SERVICES}/SERVICES.json`].concat(
  ['NODE.json', 'STATUS.json', 'README.md', 'CAPS.json'].map((name) => `nodes/n1/${name}`),
);
const DIRS = ['nodes/n1', SERVICES, `${SERVICES}/echo`, `${SERVICES}/echo/control`];
/** Nothing there, or no longer what was opened. */
const GONE = [2, 116];

for (const joined of ['here', 'through a tunnel'] satisfies Joined[]) {
  t.test(`what is withdrawn is gone for all that is open, of a node ${joined}`, async (t) => {
    const under = await PlaneWithNode.start(t, joined, [ECHO]);
    const token = under.token('user');
    const { files } = await under.session({ token });
    const find = async (path: string): Promise<unknown> =>
      (await files.ask('t_fs_lookup', { node: 1 }, { path })).payload['node'];
    const handles = new Map<string, unknown>();
    for (const path of DOCUMENTS) {
      const opened = await files.ask('t_fs_open', { node: await find(path) }, { mode: 'r' });
      const h = opened.payload['handle'];
      t.equal((await files.ask('t_fs_read', { h }, { offset: 0, count: 10 })).ok, true, path);
      handles.set(path, h);
    }
    const dirs = new Map<string, unknown>();
    for (const path of DIRS) dirs.set(path, await find(path));

    const dir = mountDirFor(t);
    const tokenFile = join(temporaryDir(t), 'token');
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const who = ['--control-url', under.plane.url, '--token-file', tokenFile];
    const mount = new Program(t, ['mount', dir, ...who, '--state-dir', join(dir, '..', 'state')]);
    await mount.says(/Mounted on/);
    const open1 = await Promise.all(DOCUMENTS.map((path) => open(join(dir, path))));
    for (const file of open1) t.ok((await file.read(Buffer.alloc(4096), 0, 4096, 0)).bytesRead > 0);
    await readdir(join(dir, 'nodes/n1'));
    // What is reached through it is below the open directory, whatever its path has become.
    const held = openSync(join(dir, 'nodes/n1'), 'r');
    t.teardown(() => closeSync(held));

    files.pushed.length = 0;
    await under.admin.request('project_create', { project_id: 'p1', nodes: ['n1'] });

    for (const [path, h] of handles) {
      const read = await files.ask('t_fs_read', { h }, { offset: 0, count: 4096 });
      t.ok(!read.ok && GONE.includes(read.error['errno'] as number), `read of ${path}`);
    }
    for (const [path, node] of dirs) {
      for (const [what, payload] of [
        ['getattr', {}],
        ['readdirp', {}],
        ['lookup', { name: path === SERVICES ? 'echo' : 'NODE.json' }],
      ] as const) {
        const asked = await files.ask(`t_fs_${what}`, { node }, payload);
        t.ok(!asked.ok && GONE.includes(asked.error['errno'] as number), `${what} of ${path}`);
      }
    }
    for (const [i, file] of open1.entries()) {
      const read = file.read(Buffer.alloc(4096), 0, 4096, 0);
      await t.rejects(read, { message: /ENOENT|system error -116/ }, `${DOCUMENTS[i]!} in the mount`);
      await file.close();
    }
    const below = `/proc/self/fd/${held}`;
    await t.rejects(readFile(`${below}/NODE.json`), { message: /ENOENT|system error -116/ });
    await t.rejects(readdir(`${below}/services`), { message: /ENOENT|system error -116/ });
    await t.rejects(stat(`${below}/services/echo/README.md`), { message: /ENOENT|system error -116/ });
    t.strictSame(JSON.parse(await readFile(join(dir, 'nodes/NODES.json'), 'utf8')), []);
  });
}
