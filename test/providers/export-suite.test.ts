import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../support/properties.js';
import t, { type Test } from 'tap';
import { localSession } from '../../lib/policy/index.js';
import { loadNative } from '../../lib/providers/export/native.js';
import { createExport } from '../../lib/providers/index.js';
import { createReferenceTreeWithExport } from '../support/reference-tree.js';
import { supportsAll } from '../suites/vfs-suite.js';
import { testWritable } from '../suites/vfs-writable.js';
import { codeOf, O, readAll, type Access } from '../support/access.js';
import { directAccess } from '../support/direct-access.js';
import { kernelAccess } from '../support/kernel-access.js';

function realDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'acheron-export-'));
  chmodSync(path, 0o777);
  t.teardown(() => execFileSync('rm', ['-rf', path]));
  return path;
}

const self = { uid: process.getuid!(), gid: process.getgid!(), pid: process.pid };
const isRoot = self.uid === 0;
const skip = !isRoot
  ? 'only root serves others'
  : loadNative() === null
    ? 'koffi cannot be loaded here'
    : false;

t.test(
  'an export that root serves keeps the rules for everyone else, modes included',
  { skip },
  async (t) => {
    const vfs = await createReferenceTreeWithExport(realDirectory(t));
    t.teardown(() => vfs.close());
    const caller = { uid: 12_345, gid: 12_345, pid: process.pid };
    testWritable(t, directAccess(vfs, localSession('admin'), caller), supportsAll);
  },
);

type Step = (access: Access) => Promise<unknown>;

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const offset = fc.integer({ min: 0, max: 9000 });

async function change(access: Access, at: string, flags: number, from: number, text: string): Promise<void> {
  const file = await access.open(at, flags, 0o640);
  try {
    if (text !== '') await file.write(from, Buffer.from(text));
  } finally {
    await file.close();
  }
}

/** Each step says what it does, for the report of a failure. */
const step: fc.Arbitrary<{ title: string; run: Step }> = fc.oneof(
  path.map((at) => ({ title: `mkdir ${at}`, run: (access: Access) => access.mkdir(at) })),
  path.map((at) => ({ title: `mkdir ${at}`, run: (access: Access) => access.mkdir(at) })),
  path.map((at) => ({ title: `rmdir ${at}`, run: (access: Access) => access.rmdir(at) })),
  path.map((at) => ({ title: `unlink ${at}`, run: (access: Access) => access.unlink(at) })),
  fc.tuple(path, path).map(([from, to]) => ({
    title: `rename ${from} ${to}`,
    run: (access: Access) => access.rename(from, to),
  })),
  fc.tuple(path, path).map(([from, to]) => ({
    title: `link ${from} ${to}`,
    run: (access: Access) => access.link(from, to),
  })),
  fc.tuple(fc.constantFrom('a', 'b', 'c/a', 'nowhere'), path).map(([target, at]) => ({
    title: `symlink ${target} ${at}`,
    run: (access: Access) => access.symlink(target, at),
  })),
  fc.tuple(path, fc.constantFrom(0o600, 0o755, 0o4711)).map(([at, mode]) => ({
    title: `chmod ${at} ${mode.toString(8)}`,
    run: (access: Access) => access.chmod(at, mode),
  })),
  fc.tuple(path, offset).map(([at, size]) => ({
    title: `truncate ${at} ${size}`,
    run: (access: Access) => access.truncate(at, size),
  })),
  fc
    .tuple(
      path,
      fc.constantFrom(
        O.write,
        O.write | O.create,
        O.write | O.create | O.exclusive,
        O.write | O.append,
        O.write | O.create | O.truncate,
      ),
      offset,
      fc.string({ maxLength: 10 }),
    )
    .map(([at, flags, from, text]) => ({
      title: `open ${at} ${flags}, write ${from} ${JSON.stringify(text)}`,
      run: (access: Access) => change(access, at, flags, from, text),
    })),
);

/** All that can be seen of a tree. */
async function seen(access: Access, at = ''): Promise<unknown> {
  const stat = await access.lstat(at === '' ? '/' : at);
  const facts = { kind: stat.kind, mode: stat.mode, nlink: stat.nlink };
  if (stat.kind === 'symlink') return { kind: 'symlink', target: await access.readlink(at) };
  if (stat.kind === 'file')
    return { ...facts, size: stat.size, content: (await readAll(access, at)).toString('base64') };
  const names = (await access.readdir(at === '' ? '/' : at)).sort();
  const inner = await Promise.all(names.map((name) => seen(access, `${at}/${name}`)));
  return { ...facts, entries: names.map((name, i) => [name, inner[i]]) };
}

t.test('whatever is done to an export has the outcome that it has in a plain directory', async (t) => {
  const top = realDirectory(t);
  for (const native of [loadNative(), null]) {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const [real, plain] = [mkdtempSync(join(top, 'real-')), mkdtempSync(join(top, 'plain-'))];
        const vfs = await createExport({
          name: 'x',
          path: real,
          readOnly: false,
          forbidden: [],
          squash: null,
          native,
        });
        try {
          const [ours, theirs] = [directAccess(vfs, localSession('admin'), self), kernelAccess(plain)];
          for (const { title, run } of steps) {
            const [our, their] = [await codeOf(run(ours)), await codeOf(run(theirs))];
            if (our !== their) throw new Error(`${title}: ${our}, in a plain directory ${their}`);
          }
          t.strictSame(await seen(ours), await seen(theirs));
        } finally {
          await vfs.close();
          execFileSync('rm', ['-rf', real, plain]);
        }
      }),
      { numRuns: 25 },
    );
  }
});
