import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { mountChild, referenceFixture } from '../support/mount-child.js';

const run = promisify(execFile);

/** Two processes want the same lock: prints what the second hears while the first has it, and after. */
const LOCKS = `
import errno, fcntl, json, os, sys
path, how = sys.argv[1:]
def lock():
    fd = os.open(path, os.O_RDWR)
    try:
        if how == 'flock': fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 4, 0)
        return 'locked'
    except OSError as error: return errno.errorcode[error.errno]
def other():
    out, into = os.pipe()
    if os.fork() == 0:
        os.write(into, lock().encode())
        os._exit(0)
    os.wait()
    return os.read(out, 100).decode()
held = os.open(path, os.O_RDWR)
if how == 'flock': fcntl.flock(held, fcntl.LOCK_EX)
else: fcntl.lockf(held, fcntl.LOCK_EX, 4, 0)
first = other()
os.close(held)
print(json.dumps([first, other()]))
`;

t.test('locks on files of a writable directory hold between processes', async (t) => {
  const { dir } = await mountChild(t, { fixture: referenceFixture, binding: 'kernel' });
  await run('sh', ['-c', 'echo text > work/locked'], { cwd: dir });
  for (const how of ['flock', 'fcntl']) {
    const { stdout } = await run('python3', ['-c', LOCKS, 'work/locked', how], { cwd: dir, timeout: 10_000 });
    t.same(JSON.parse(stdout), ['EAGAIN', 'locked'], how);
  }
});

t.test(
  'locks on live files and on directories hold, those on control files are of each caller alone',
  async (t) => {
    const fixture = {
      module: new URL('../support/door-tree.js', import.meta.url).href,
      name: 'createDoorTree',
    };
    const { dir } = await mountChild(t, { fixture, binding: 'kernel' });
    for (const how of ['flock', 'fcntl']) {
      const heard = async (file: string): Promise<unknown> =>
        JSON.parse((await run('python3', ['-c', LOCKS, file, how], { cwd: dir, timeout: 10_000 })).stdout);
      t.same(await heard('blocked'), ['EAGAIN', 'locked'], `${how} of a live file`);
      t.same(await heard('taken'), ['locked', 'locked'], `${how} of a control file`);
    }
    const script = 'flock . sh -c "flock -n . echo both || echo one at a time"';
    t.equal((await run('sh', ['-c', script], { cwd: dir, timeout: 10_000 })).stdout, 'one at a time\n');
  },
);
