import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

/** Processor time (ticks) that a process has used (proc(5)). */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

t.test('an entry of ls -l costs the same in a large exported directory as in a small one', async (t) => {
  const real = join(temporaryDir(t), 'real');
  const sizes = { small: 1500, large: 15_000 };
  for (const [name, count] of Object.entries(sizes)) {
    mkdirSync(join(real, name), { recursive: true });
    for (let i = 0; i < count; i++) writeFileSync(join(real, name, `file-${i}`), '');
  }
  const up = await Up.start(t, { binding: 'kernel', bundled: false, args: ['--export', `x=${real}`] });
  const ticks = (name: keyof typeof sizes): number => {
    const before = ticksOf(up.child.pid!);
    const listed = execFileSync('ls', ['-l', join(up.dir, 'nodes/local/fs/x', name)], { maxBuffer: 1 << 24 });
    t.equal(listed.toString().split('\n').length - 2, sizes[name]);
    return ticksOf(up.child.pid!) - before;
  };
  ticks('small'); // the first of all is compiled besides
  const [small, large] = [Math.max(ticks('small'), 1), ticks('large')];
  t.ok(large < small * 10 * 3 + 100, `${small} and ${large} ticks`);
});

t.test('an attribute that is set is there at once, though the file was just seen to have none', async (t) => {
  const real = join(temporaryDir(t), 'real');
  mkdirSync(real);
  writeFileSync(join(real, 'file'), '');
  const up = await Up.start(t, { binding: 'kernel', bundled: false, args: ['--export', `x=${real}:rw`] });
  const file = join(up.dir, 'nodes/local/fs/x/file');
  const program = `
import os, struct, sys
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in [(1, 6, -1), (2, 6, 9), (4, 4, -1), (16, 6, -1), (32, 0, -1)])
def ask():
    try: return os.getxattr(sys.argv[1], "system.posix_acl_access") == acl
    except OSError as error: return error.errno
print(ask(), ask(), os.setxattr(sys.argv[1], "system.posix_acl_access", acl), ask(), os.removexattr(sys.argv[1], "system.posix_acl_access"), ask())`;
  const printed = execFileSync('python3', ['-c', program, file]).toString();
  t.equal(printed, '61 61 None True None 61\n');
});
