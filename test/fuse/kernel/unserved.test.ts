import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { cleanEnvironment, mountDirFor } from '../../support/mount-child.js';

/** Asks for everything that is not there, as often as it is asked to: prints which errnos it got. */
const ASKS = `
import ctypes, errno, json, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
path, times = sys.argv[1:]
file = os.path.join(path, 'file')
heard = {}
def ask(what, act):
    try: act(); end = 'done'
    except OSError as error: end = errno.errorcode[error.errno]
    heard.setdefault(what, []).append(end)
def rename(flags):
    if libc.renameat2(-100, file.encode(), -100, file.encode() + b'2', flags) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')
def poll(fd):
    p = select.poll(); p.register(fd, select.POLLIN); p.poll(0)
def close():
    os.close(os.open(file, os.O_RDWR))
for _ in range(int(times)):
    fd = os.open(file, os.O_RDWR)
    dir = os.open(path, os.O_RDONLY)
    ask('fsync', lambda: os.fsync(fd))
    ask('fsyncdir', lambda: os.fsync(dir))
    ask('fallocate', lambda: os.posix_fallocate(fd, 0, 1))
    ask('lseek', lambda: os.lseek(fd, 0, os.SEEK_DATA))
    ask('copy_file_range', lambda: os.copy_file_range(fd, fd, 1, 0, 4096))
    ask('poll', lambda: poll(fd))
    ask('access', lambda: os.access(file, os.R_OK))
    ask('getxattr', lambda: os.getxattr(file, 'user.x'))
    ask('setxattr', lambda: os.setxattr(file, 'user.x', b'1'))
    ask('listxattr', lambda: os.listxattr(file))
    ask('removexattr', lambda: os.removexattr(file, 'user.x'))
    ask('rename2', lambda: rename(1))
    ask('tmpfile', lambda: os.close(os.open(path, os.O_RDWR | os.O_TMPFILE)))
    ask('mkdir', lambda: os.mkdir(os.path.join(path, 'dir')))
    os.close(dir)
    os.close(fd)
    ask('close', close)
print(json.dumps({what: sorted(set(ends)) for what, ends in heard.items()}))
`;

t.test('the kernel asks once for what is answered ENOSYS, and then does without', async (t) => {
  const dir = mountDirFor(t);
  mkdirSync(dir);
  const program = fileURLToPath(new URL('unserved-program.js', import.meta.url));
  const child = fork(program, [dir], { env: cleanEnvironment(), execArgv: [] });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    if (child.connected) child.disconnect();
    await ended;
  });
  await once(child, 'message');
  const { stdout } = await promisify(execFile)('python3', ['-c', ASKS, dir, '3'], { timeout: 60_000 });
  t.comment(stdout);
  child.send('how often?');
  const [asked] = (await once(child, 'message')) as [Record<string, number>];
  t.comment(asked);
  for (const once of [
    'FUSE_FSYNC',
    'FUSE_FSYNCDIR',
    'FUSE_FALLOCATE',
    'FUSE_LSEEK',
    'FUSE_POLL',
    'FUSE_ACCESS',
    'FUSE_GETXATTR',
    'FUSE_SETXATTR',
    'FUSE_LISTXATTR',
    'FUSE_REMOVEXATTR',
    'FUSE_RENAME2',
    'FUSE_FLUSH',
    'FUSE_TMPFILE',
    'FUSE_COPY_FILE_RANGE',
  ])
    t.equal(asked[once], 1, once);
  t.equal(asked.FUSE_MKDIR, 3, 'what changes names is asked for again');
});
