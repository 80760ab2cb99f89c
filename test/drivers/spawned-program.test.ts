import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog } from '../../lib/core/index.js';
import { sealDescriptors } from '../../lib/drivers/native-proc/containment.js';
import type { Handed } from '../../lib/drivers/native-proc/handed-file.js';
import { loadLibc } from '../../lib/drivers/native-proc/libc.js';
import type { SpawnRequest } from '../../lib/drivers/native-proc/posix-spawn.js';
import { processFacts } from '../../lib/drivers/native-proc/proc-table.js';
import { ProcessGroup } from '../../lib/drivers/native-proc/process-group.js';
import { SpawnedProgram } from '../../lib/drivers/native-proc/spawned-program.js';
import { openDescriptors } from '../support/drivers.js';
import { temporaryDir } from '../support/test-node.js';

const ENV = { PATH: '/usr/bin:/bin' };

type Exit = [code: number | null, signal: string | null];

/** Runs a script; answers with what it printed and how it ended. */
async function run(t: Test, script: string, changes: Partial<SpawnRequest> = {}): Promise<[string, Exit]> {
  const file = join(temporaryDir(t), 'output');
  const output = openSync(file, 'w');
  const nothing = openSync('/dev/null', 'r+');
  sealDescriptors();
  const program = SpawnedProgram.start({
    path: '/bin/sh',
    argv: ['sh', '-c', script],
    env: ENV,
    cwd: '/',
    ...changes,
    descriptors: [[0, nothing], [1, output], [2, nothing], ...(changes.descriptors ?? [])],
  });
  closeSync(output);
  closeSync(nothing);
  const exit = (await once(program!, 'exit')) as Exit;
  return [readFileSync(file, 'utf8'), exit];
}

t.test('a program gets its words, variables and working directory as they are', async (t) => {
  const cwd = t.testdir({ 'sub folder': {} });
  const [output, exit] = await run(t, 'printf "%s|" "$0" "$1" "$2" "$V" "$EMPTY" "$(pwd)"', {
    argv: ['sh', '-c', 'printf "%s|" "$0" "$1" "$2" "$V" "$EMPTY-" "$(pwd)"', 'ä €', '', 'a\nb'],
    env: { ...ENV, V: 'ü=1 "', EMPTY: '' },
    cwd: join(cwd, 'sub folder'),
  });
  t.equal(output, `ä €||a\nb|ü=1 "|-|${join(cwd, 'sub folder')}|`);
  t.same(exit, [0, null]);
});

t.test('it leads a session of its own, and no signal is blocked or ignored', async (t) => {
  const [ids] = await run(t, 'echo $$ $(cut -d" " -f5,6 /proc/$$/stat)');
  t.match(ids, /^(\d+) \1 \1\n$/);
  const [signals] = await run(t, '', {
    path: '/bin/grep',
    argv: ['grep', '-E', 'Sig(Blk|Ign)', '/proc/self/status'],
  });
  t.match(signals, /^SigBlk:\t0+\nSigIgn:\t0+\n$/);
});

t.test('how it ended is reported as Node reports it', async (t) => {
  t.same((await run(t, 'exit 7'))[1], [7, null]);
  for (const signal of ['SIGTERM', 'SIGABRT', 'SIGKILL', 'SIGPIPE'])
    t.same((await run(t, `kill -${signal.slice(3)} $$`))[1], [null, signal]);
});

t.test('descriptors that lie where others belong arrive in their places', async (t) => {
  const folder = t.testdir();
  const files = ['a', 'b', 'c'].map((name) => {
    writeFileSync(join(folder, name), name);
    return openSync(join(folder, name), 'r');
  });
  const [a, b, c] = files as [number, number, number];
  // Each belongs where the next one lies.
  const descriptors: Handed[] = [
    [b, a],
    [c, b],
    [a, c],
  ];
  t.ok(a > 4 && b > 4 && c > 4, 'they are in nobody else’s way');
  const [output] = await run(t, `cat <&${b}; cat <&${c}; cat <&${a}; ls /proc/$$/fd; :`, {
    path: '/bin/bash',
    descriptors,
  });
  for (const fd of files) closeSync(fd);
  const open = [0, 1, 2, a, b, c].sort((x, y) => x - y);
  const seen = output.slice(3).trim().split('\n').map(Number);
  t.equal(output.slice(0, 3), 'abc');
  t.same(
    seen.filter((fd) => fd !== 255).sort((x, y) => x - y),
    open,
    'and no others',
  );
});

t.test('many that end at once are all noticed, and none stays a zombie', async (t) => {
  const nothing = openSync('/dev/null', 'r+');
  const start = (): SpawnedProgram =>
    SpawnedProgram.start({
      path: '/bin/sleep',
      argv: ['sleep', '300'],
      env: ENV,
      cwd: '/',
      descriptors: [0, 1, 2].map((number): Handed => [number, nothing]),
    })!;
  const programs = Array.from({ length: 40 }, start);
  const nodes = Array.from({ length: 5 }, () => spawn('sleep', ['300'], { stdio: 'ignore' }));
  closeSync(nothing);
  t.ok(programs.every(({ pid }) => SpawnedProgram.isAwaited(pid)));
  const ends = [...programs, ...nodes].map((one) => once(one, 'exit'));
  for (const { pid } of [...programs, ...nodes]) process.kill(pid!, 'SIGKILL');
  for (const end of await Promise.all(ends)) t.same(end, [null, 'SIGKILL']);
  for (const { pid } of programs) {
    t.notOk(SpawnedProgram.isAwaited(pid));
    t.not(processFacts(pid)?.parent, process.pid);
  }
});

t.test('one whose exit somebody else took is over all the same', async (t) => {
  const nothing = openSync('/dev/null', 'r+');
  const program = SpawnedProgram.start({
    path: '/bin/true',
    argv: ['true'],
    env: ENV,
    cwd: '/',
    descriptors: [0, 1, 2].map((number): Handed => [number, nothing]),
  })!;
  closeSync(nothing);
  const ended = once(program, 'exit');
  while (loadLibc()!.exitOf(program.pid) === 'running');
  t.same(await ended, [null, null]);
});

t.test('what cannot be started is null, and leaves neither a process nor a descriptor', async (t) => {
  const before = openDescriptors();
  const fine = { path: '/bin/true', argv: ['true'], env: ENV, cwd: '/', descriptors: [] };
  for (const changes of [
    { path: '/no/such/program' },
    { path: '/etc/passwd' },
    { path: '/bin/true\0x' },
    { cwd: '/no/such/folder' },
    { argv: ['true', 'a\0b'] },
    { argv: ['true', 'x'.repeat(200_000)] },
    { env: { A: 'a\0b' } },
    { descriptors: [[3, 1_000_000]] as const },
  ])
    t.equal(SpawnedProgram.start({ ...fine, ...changes }), null, JSON.stringify(changes).slice(0, 50));
  t.equal(openDescriptors(), before);
});

t.test(
  'a group is started this way, unless another user has to search for it or messages are exchanged',
  async (t) => {
    const isRoot = process.getuid!() === 0;
    const cat = { file: 'cat', args: [], cwd: '/', env: ENV, ids: null };
    const other = isRoot ? { ids: { uid: 65_534, gid: 65_534 } } : { hasMessages: true };
    for (const [changes, isLight] of [
      [{}, true],
      [other, false],
      [isRoot ? { ...other, file: '/bin/cat' } : {}, true],
      [{ hasMessages: true }, false],
    ] as const) {
      const group = new ProcessGroup({ ...cat, ...changes }, null, silentLog);
      t.equal(SpawnedProgram.isAwaited(group.pid!), isLight);
      group.kill();
      await group.ended;
      t.same(group.exit, { code: null, signal: 'SIGKILL' });
    }
  },
);

t.test('a start that fails says why, as Node says it', async (t) => {
  const folder = t.testdir({ plain: '#!/bin/sh\n' });
  const start = async (file: string): Promise<NodeJS.ErrnoException> => {
    const group = new ProcessGroup({ file, args: [], cwd: '/', env: ENV, ids: null }, null, silentLog);
    t.equal(group.pid, undefined);
    return ((await once(group.child, 'error')) as [NodeJS.ErrnoException])[0];
  };
  t.match(await start(join(folder, 'plain')), { code: 'EACCES' });
  t.match(await start('/no/such/program'), { code: 'ENOENT' });
  t.match(await start('no-such-program'), { code: 'ENOENT' });
});
