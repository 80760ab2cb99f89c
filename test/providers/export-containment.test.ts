import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createExport } from '../../lib/providers/index.js';
import type { DirNode, FileNode, SymlinkNode } from '../../lib/vfs/index.js';
import { at, errno, exported, MODES, op, RO, RW } from './support/exported.js';

const SECRET = 'outside';
const SWAPPER = join(import.meta.dirname, 'support/swapper.js');

/** Runs `look` over and over while a process swaps `a` and `b` in `dir`; ends after many swaps. */
async function whileSwapping(
  t: Test,
  dir: string,
  a: string,
  b: string,
  look: () => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, [SWAPPER, dir, a, b], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  t.teardown(() => child.kill('SIGKILL'));
  let swaps = 0;
  child.stdout.on('data', (chunk: Buffer) => (swaps = Number(chunk.toString().trim().split('\n').at(-1))));
  for (let looks = 0; swaps < 2_000 || looks < 500; looks++) {
    await look();
    if (looks % 20 === 0) await setImmediate();
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** An export with a secret beside it, and `dir/file` and `link` -> the outside within it. */
async function besideASecret(
  t: Test,
  options: object,
): Promise<{ root: DirNode; path: string; outside: string }> {
  const [vfs, path] = await exported(t, options);
  const outside = join(dirname(path), 'outside');
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, 'file'), SECRET);
  fs.mkdirSync(join(path, 'dir'));
  fs.writeFileSync(join(path, 'dir/file'), 'inside');
  fs.symlinkSync(outside, join(path, 'link'));
  return { root: vfs.root, path, outside };
}

const ALLOWED = new Set(['none', 'ENOENT', 'ENOTDIR', 'ESTALE', 'ELOOP', 'EEXIST']);

for (const { title, options } of MODES) {
  t.test(`[P] No path, symlink or race leads outside the export: ${title}`, async (t) => {
    t.test('links are shown and not followed', async (t) => {
      const { root, path, outside } = await besideASecret(t, options);
      fs.symlinkSync('link', join(path, 'link-to-link'));
      fs.symlinkSync('../outside', join(path, 'up'));
      fs.symlinkSync('/proc/self/root', join(path, 'magic'));
      for (const name of ['link', 'link-to-link', 'up', 'magic']) {
        const node = await root.lookup(name, op);
        t.equal(node.kind, 'symlink');
        t.equal((await node.stat(op)).kind, 'symlink');
        t.equal(await (node as SymlinkNode).readlink(op), fs.readlinkSync(join(path, name)));
      }
      fs.symlinkSync(join(outside, 'file'), join(path, 'file-link'));
      t.not(await errno(() => root.create('file-link', { ...RW, truncate: true }, 0o644, op)), 'none');
      t.equal(fs.readFileSync(join(outside, 'file'), 'utf8'), SECRET);
    });

    t.test('attributes of a link are its own, not those of what it names', async (t) => {
      const { root, path, outside } = await besideASecret(t, options);
      const link = await root.lookup('link', op);
      const before = fs.statSync(outside, { bigint: true });
      await errno(() => link.setattr({ mode: 0o700 }, op));
      await errno(() => link.setattr({ uid: 1, gid: 1 }, op));
      await errno(() => link.setattr({ mtimeNs: 5n, atimeNs: 5n }, op));
      await errno(() => link.setattr({ size: 0 }, op));
      await errno(() => link.setxattr('user.test', Buffer.from('x'), 0, op));
      const after = fs.statSync(outside, { bigint: true });
      t.equal(after.ctimeNs, before.ctimeNs);
      t.equal(fs.lstatSync(join(path, 'link')).uid, process.getuid!() === 0 ? 1 : process.getuid!());
    });

    t.test('a node whose place was taken by a link does not act on what the link names', async (t) => {
      const { root, path, outside } = await besideASecret(t, options);
      const dir = (await root.lookup('dir', op)) as DirNode;
      const file = (await dir.lookup('file', op)) as FileNode;
      fs.renameSync(join(path, 'dir'), join(dirname(path), 'moved-out'));
      fs.symlinkSync(outside, join(path, 'dir'));
      const before = fs.statSync(join(outside, 'file'), { bigint: true });
      for (const [what, work] of Object.entries({
        lookup: () => dir.lookup('file', op),
        list: () => dir.list(op),
        create: () => dir.create('new', RW, 0o644, op),
        mkdir: () => dir.mkdir('new', 0o755, op),
        unlink: () => dir.unlink('file', op),
        rename: () => dir.rename('file', root, 'stolen', 0, op),
        stat: () => file.stat(op),
        open: () => file.open(RW, op),
        setattr: () => file.setattr({ mode: 0o777, size: 0 }, op),
        link: () => root.link(file, 'stolen', op),
      }))
        t.match(await errno(work), /ENOTDIR|ELOOP|ESTALE/, what);
      t.same(fs.readdirSync(outside), ['file']);
      t.equal(fs.statSync(join(outside, 'file'), { bigint: true }).ctimeNs, before.ctimeNs);
      t.equal(fs.readFileSync(join(dirname(path), 'moved-out/file'), 'utf8'), 'inside');
    });

    t.test('a directory that was moved out is out, though it was in use', async (t) => {
      const { root, path } = await besideASecret(t, options);
      const dir = (await root.lookup('dir', op)) as DirNode;
      await dir.list(op);
      fs.renameSync(join(path, 'dir'), join(dirname(path), 'moved-out'));
      t.match(await errno(() => dir.list(op)), /ENOENT|ESTALE/);
      t.match(await errno(() => dir.lookup('file', op)), /ENOENT|ESTALE/);
      t.match(await errno(() => dir.stat(op)), /ENOENT|ESTALE/);
    });

    t.test('a writer that swaps a directory and a link while reads run', async (t) => {
      const { root, path, outside } = await besideASecret(t, options);
      const dir = (await root.lookup('dir', op)) as DirNode;
      let reads = 0;
      await whileSwapping(t, path, 'dir', 'link', async () => {
        const result = await errno(async () => {
          for (const found of [dir, await root.lookup('dir', op)]) {
            if (found.kind !== 'dir') continue;
            const handle = await ((await found.lookup('file', op)) as FileNode).open(RO, op);
            const read = Buffer.from(await handle.read(0, 100, op)).toString();
            await handle.release();
            if (read !== 'inside') t.fail(`read ${read}`);
            reads += 1;
            await found.list(op);
            const created = await errno(async () => {
              const { handle } = await found.create('made', { ...RW, exclusive: true }, 0o644, op);
              await handle.release();
            });
            if (!ALLOWED.has(created)) t.fail(created);
          }
        });
        if (!ALLOWED.has(result)) t.fail(`unexpected ${result}`);
      });
      t.ok(reads > 0, 'some reads met the directory');
      t.same(fs.readdirSync(outside), ['file'], 'nothing was made outside');
    });

    t.test('a writer that swaps a file and a link while it is written and changed', async (t) => {
      const { root, path, outside } = await besideASecret(t, options);
      fs.symlinkSync(join(outside, 'file'), join(path, 'file-link'));
      fs.writeFileSync(join(path, 'target'), 'inside');
      const before = fs.statSync(join(outside, 'file'), { bigint: true });
      const file = (await root.lookup('target', op)) as FileNode;
      let writes = 0;
      await whileSwapping(t, path, 'target', 'file-link', async () => {
        const results = [
          await errno(async () => {
            const handle = await file.open({ ...RW, truncate: true }, op);
            await handle.write(0, Buffer.from('mine'), op);
            await handle.release();
            writes += 1;
          }),
          await errno(() => file.setattr({ mode: 0o640, mtimeNs: 1n, size: 0 }, op)),
          await errno(() => file.setattr({ uid: process.getuid!(), gid: process.getgid!() }, op)),
          await errno(() => file.access(4, op)),
        ];
        for (const result of results) if (!ALLOWED.has(result)) t.fail(`unexpected ${result}`);
      });
      t.ok(writes > 0);
      t.equal(fs.statSync(join(outside, 'file'), { bigint: true }).ctimeNs, before.ctimeNs);
      t.equal(fs.readFileSync(join(outside, 'file'), 'utf8'), SECRET);
    });
  });
}

t.test(
  'A directory that contains the mount point, or overlaps state, tokens, manifests or drivers, is refused',
  async (t) => {
    const [, path] = await exported(t);
    const base = dirname(path);
    fs.mkdirSync(join(base, 'state/inner'), { recursive: true });
    fs.symlinkSync(join(base, 'state'), join(base, 'alias'));
    const attempt = async (exportPath: string, ...forbidden: string[]): Promise<string> => {
      try {
        await (
          await createExport({ name: 'x', path: exportPath, readOnly: true, forbidden, squash: null })
        ).close();
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    t.match(await attempt(base, join(base, 'state')), /refused: it contains .*state, which is kept apart/);
    t.match(await attempt(join(base, 'state'), join(base, 'state')), /contains/);
    t.match(await attempt(join(base, 'state/inner'), join(base, 'state')), /lies in/);
    t.match(await attempt(join(base, 'alias/inner'), join(base, 'state')), /lies in/, 'by way of a symlink');
    t.match(await attempt(join(base, 'state'), join(base, 'alias/inner')), /contains/);
    t.match(await attempt(base, join(base, 'state/not/there/yet')), /contains/);
    t.equal(await attempt(path, join(base, 'state'), join(base, 'database'), '/nowhere'), 'accepted');
    t.match(await attempt(join(base, 'missing')), /cannot be opened: No such file or directory/);
    await t.rejects(createExport({ name: '../x', path, readOnly: true, forbidden: [], squash: null }), {
      code: 'EINVAL',
    });
  },
);

t.test(
  'the export goes on showing the directory that it was given, whatever becomes of its path',
  async (t) => {
    const [vfs, path] = await exported(t);
    fs.writeFileSync(join(path, 'f'), 'x');
    fs.renameSync(path, `${path}-away`);
    fs.symlinkSync('/etc', path);
    t.same(
      (await vfs.root.list(op)).map(({ name }) => name),
      ['f'],
    );
    t.equal((await at(vfs, 'f')).kind, 'file');
  },
);
