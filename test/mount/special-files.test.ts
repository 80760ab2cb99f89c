import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

const isRoot = process.getuid!() === 0;
const GUEST = 9;

/** A mount with the writable export `x` of a real directory. */
async function exported(t: Test, args: readonly string[] = []): Promise<{ real: string; shown: string }> {
  const top = temporaryDir(t);
  chmodSync(top, 0o711);
  const real = join(top, 'real');
  mkdirSync(real);
  const up = await Up.start(t, {
    binding: 'kernel',
    bundled: false,
    args: ['--export', `x=${real}:rw`, ...args],
  });
  chmodSync(dirname(up.dir), 0o711);
  return { real, shown: join(up.dir, 'nodes/local/fs/x') };
}

function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What `program` says on stderr; it ends by itself, or the test fails. */
async function complaintOf(program: string, args: readonly string[], uid?: number): Promise<string> {
  const how = { cwd: '/', timeout: 60_000, ...(uid === undefined ? {} : { uid, gid: uid }) };
  return new Promise((resolve) => {
    execFile(program, [...args], how, (error, _stdout, stderr) => {
      resolve(error?.killed === true ? 'it did not end' : stderr);
    });
  });
}

t.test('pipes and sockets are copied into an export and out of it by cp -a and rsync -a', async (t) => {
  const { real, shown } = await exported(t);
  const from = temporaryDir(t);
  execFileSync('mkfifo', ['-m', '640', join(from, 'pipe')]);
  const server = createServer().listen(join(from, 'socket'));
  await once(server, 'listening');
  t.teardown(() => server.close());
  for (const [program, ...flags] of [['cp', '-a'], ...(hasProgram('rsync') ? [['rsync', '-a']] : [])]) {
    const [inside, out] = [join(shown, program!), join(temporaryDir(t), program!)];
    execFileSync(program!, [...flags, `${from}/`, inside]);
    execFileSync(program!, [...flags, `${inside}/`, out]);
    for (const dir of [inside, join(real, program!), out]) {
      t.ok(lstatSync(join(dir, 'pipe')).isFIFO(), `${dir}/pipe`);
      t.equal(lstatSync(join(dir, 'pipe')).mode & 0o777, 0o640);
      t.ok(lstatSync(join(dir, 'socket')).isSocket(), `${dir}/socket`);
    }
  }
});

t.test('a device that is there is shown as what it is, and is not opened', { skip: !isRoot }, async (t) => {
  const { real, shown } = await exported(t);
  execFileSync('mknod', [join(real, 'zero'), 'c', '1', '5']);
  const stat = statSync(join(shown, 'zero'));
  t.ok(stat.isCharacterDevice());
  t.equal(stat.rdev, statSync('/dev/zero').rdev);
  t.match(await complaintOf('head', ['-c', '1', join(shown, 'zero')]), 'Permission denied');
  t.match(await complaintOf('mknod', [join(shown, 'mine'), 'c', '1', '5']), 'Operation not permitted');
  execFileSync('rm', [join(shown, 'zero')]);
});

t.test(
  'another user who is let in uses no pipe and no socket that its mode keeps from it',
  { skip: !isRoot },
  async (t) => {
    const { shown } = await exported(t, ['--allow-other', '--allow-uid', `${GUEST}`]);
    execFileSync('mkfifo', ['-m', '600', join(shown, 'mine')]);
    execFileSync('mkfifo', ['-m', '644', join(shown, 'readable')]);
    execFileSync('mkfifo', ['-m', '666', join(shown, 'open')]);
    lstatSync(join(shown, 'mine')); // what the kernel has learned for us is not for others
    for (const name of ['mine', 'readable'])
      t.match(await complaintOf('cat', [join(shown, name)], GUEST), 'Permission denied', name);
    const writer = complaintOf('sh', ['-c', `echo through > ${join(shown, 'open')}`], GUEST);
    t.equal(execFileSync('cat', [join(shown, 'open')], { timeout: 60_000 }).toString(), 'through\n');
    t.equal(await writer, '');
  },
);

t.test(
  'what one user has looked at is not shown to another who may not search there',
  { skip: !isRoot },
  async (t) => {
    const { shown } = await exported(t, ['--allow-other', '--allow-uid', `${GUEST}`]);
    mkdirSync(join(shown, 'private'), { mode: 0o700 });
    execFileSync('touch', [join(shown, 'private/file')]);
    statSync(join(shown, 'private/file'));
    t.match(await complaintOf('stat', [join(shown, 'private/file')], GUEST), 'Permission denied');
  },
);
