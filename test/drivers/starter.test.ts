import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../lib/core/index.js';
import {
  CallProcess,
  createDriver,
  kernelLimits,
  type Command,
  type RunEnd,
} from '../../lib/drivers/index.js';
import { sealDescriptors } from '../../lib/drivers/native-proc/containment.js';
import { INSTRUCTIONS } from '../../lib/drivers/native-proc/instructions.js';
import { SpawnedProgram } from '../../lib/drivers/native-proc/spawned-program.js';
import { starterImage } from '../../lib/drivers/native-proc/starter-image.js';
import { loadStarter, type Restrictions } from '../../lib/drivers/native-proc/starter.js';
import {
  callOf,
  limits,
  openDescriptors,
  processRuntime,
  serviceId,
  testContext,
} from '../support/drivers.js';
import { lacks } from '../support/shells.js';
import { temporaryDir } from '../support/test-node.js';

const isRoot = process.getuid!() === 0;
const asRoot = isRoot ? false : 'only root can start programs of others';
const NOBODY = { uid: 65_534, gid: 65_534 };
const ENV = { PATH: '/usr/bin:/bin' };
const NOTHING: Restrictions = { ids: null, limits: [], deniesNewPrivileges: false };

/** What a script prints that is started under `restrictions`, and its exit. */
async function run(
  t: Test,
  script: string,
  restrictions: Partial<Restrictions>,
  env: Record<string, string> = {},
): Promise<string> {
  const folder = temporaryDir(t);
  const output = openSync(join(folder, 'output'), 'w');
  const nothing = openSync('/dev/null', 'r');
  sealDescriptors();
  const program = loadStarter()!.start(
    {
      path: '/bin/sh',
      argv: ['sh', '-c', script, 'ä €', '', 'b'],
      env: { ...ENV, V: 'ü=1', EMPTY: '', ...env },
      cwd: '/usr',
      descriptors: [
        [0, nothing],
        [1, output],
        [2, output],
      ],
    },
    { ...NOTHING, ...restrictions },
  )!;
  closeSync(output);
  closeSync(nothing);
  await once(program, 'exit');
  return readFileSync(join(folder, 'output'), 'utf8');
}

function call(command: Partial<Command>): Promise<RunEnd> {
  const around = { ledger: null, clock: systemClock, log: silentLog };
  const whole = { file: '/bin/sh', args: [], cwd: '/', env: ENV, ids: null, ...command };
  return new CallProcess(whole, around).run({
    stdin: Buffer.alloc(0),
    timeoutMs: 30_000,
    limitMs: 30_000,
    killGraceMs: 1_000,
    maxOutputBytes: 100_000,
    signal: new AbortController().signal,
    onOutput: () => undefined,
  });
}

t.test('a program gets its words, variables, folder and session as without it', async (t) => {
  const printed = await run(t, 'printf "%s|" "$0" "$1" "$2" "$V" "$EMPTY-" "$(pwd)"; cut -d" " -f1,5,6 /proc/$$/stat; echo $$', {}); // prettier-ignore
  t.match(printed, /^ä €\|\|b\|ü=1\|-\|\/usr\|(\d+) \1 \1\n\1\n$/);
});

t.test('it has its limits from the beginning, the soft and the hard ones', async (t) => {
  const wanted = limits({ memoryBytes: 123_456_789, cpuSeconds: 2.5, openFiles: 33 });
  const printed = await run(t, 'cat /proc/$$/limits', { limits: kernelLimits(wanted) });
  t.match(printed, /^Max data size +123456789 +123456789 +bytes/m);
  t.match(printed, /^Max cpu time +3 +4 +seconds/m);
  t.match(printed, /^Max open files +33 +33 +files/m);
});

t.test(
  'it is who it was to be, in no other group, and can become nobody else',
  { skip: asRoot },
  async (t) => {
    const printed = await run(t, 'grep -E "^(Uid|Gid|Groups|Cap(Prm|Eff)|NoNewPrivs)" /proc/$$/status | tr -d " "', { ids: NOBODY, deniesNewPrivileges: true }); // prettier-ignore
    t.equal(
      printed.replaceAll('\t', ' '),
      'Uid: 65534 65534 65534 65534\nGid: 65534 65534 65534 65534\nGroups: \nCapPrm: 0000000000000000\nCapEff: 0000000000000000\nNoNewPrivs: 1\n',
    );
  },
);

t.test('it has no descriptor, and no memory that is executable, of the starter', async (t) => {
  const printed = await run(t, 'ls /proc/$$/fd; grep -c rwx /proc/$$/maps; cat /proc/$$/personality', {});
  const [first, second, third, ...rest] = printed.trim().split('\n');
  t.same([first, second, third], ['0', '1', '2']);
  t.same(rest.slice(-2), ['0', '00000000']);
  t.same(
    rest.slice(0, -2).filter((fd) => Number(fd) < 30 && fd !== '10'),
    [],
  );
});

t.test('what its variables ask of the dynamic linker is asked of the program alone', async (t) => {
  const printed = await run(t, ':', {}, { LD_PRELOAD: '/no/such/library.so' });
  t.match(printed, /^.*LD_PRELOAD.*\n$/, 'once, and not by the starter, which may be root');
});

t.test('what cannot be started says why, and nothing of it runs or is left', async (t) => {
  const folder = temporaryDir(t);
  const plain = join(folder, 'plain');
  writeFileSync(plain, '#!/bin/sh\n', { mode: 0o644 });
  const orphan = join(folder, 'orphan');
  writeFileSync(orphan, '#!/no/such/shell\n', { mode: 0o755 });
  const restricted = kernelLimits(limits({ openFiles: 100 }));
  await call({ args: ['-c', 'true'], limits: restricted });
  const before = openDescriptors();
  for (const [file, code] of [
    [plain, 'EACCES'],
    [orphan, 'ENOENT'],
    ['/usr', 'EACCES'],
    ['/no/such/program', 'ENOENT'],
  ] as const) {
    const end = await call({ file, limits: restricted });
    t.match(end, { how: 'failed', error: { code } }, file);
  }
  const long = { file: '/bin/true', args: ['x'.repeat(200_000)], limits: restricted };
  t.match(await call(long), { how: 'failed', error: { code: 'E2BIG' } });
  t.equal(openDescriptors(), before);
});

t.test(
  'a step that the kernel refuses is an error, and the program does not run',
  { skip: asRoot },
  async (t) => {
    const ran = join(temporaryDir(t), 'ran');
    const command = { args: ['-c', `echo > ${ran}`], ids: NOBODY, limits: kernelLimits(limits({ openFiles: 2 ** 40 })) }; // prettier-ignore
    const { how, error } = await call(command);
    t.equal(how, 'failed');
    t.match(error, { code: 'EPERM', message: 'spawn /bin/sh EPERM (the limit on open files)' });
    t.throws(() => readFileSync(ran), { code: 'ENOENT' });
  },
);

t.test('in each mode a call is answered with what the kernel refused', { skip: asRoot }, async (t) => {
  for (const mode of ['oneshot', 'warm', 'persistent'] as const) {
    const context = testContext();
    const refused = limits({ user: '65534', openFiles: 2 ** 40 });
    const runtime = processRuntime({ mode, executablePath: '/bin/cat', limits: refused, cwd: '/' });
    const driver = createDriver({ serviceId, runtime }, context)!;
    const outcome = await driver.invoke(callOf({}));
    t.match(
      outcome,
      { ok: false, error: { code: 'EIO', message: /EPERM \(the limit on open files\)/ } },
      mode,
    );
    t.same(context.processes(), [], mode);
    await driver.close();
    context.remove();
  }
});

t.test('a program that exits as a failed starter does has been started', async (t) => {
  const restricted = kernelLimits(limits({ openFiles: 100 }));
  t.match(await call({ args: ['-c', 'exit 127'], limits: restricted }), { how: 'exited', exitCode: 127 });
});

t.test('of many at once each gets its own end', async (t) => {
  const restricted = kernelLimits(limits({ openFiles: 100 }));
  const ends = await Promise.all(
    Array.from({ length: 60 }, (_, at) =>
      at % 2 === 0
        ? call({ args: ['-c', `echo ${at}; exit 127`], limits: restricted })
        : call({ file: `/no/such/${at}`, limits: restricted }),
    ),
  );
  ends.forEach((end, at) => {
    if (at % 2 === 0) t.match(end, { how: 'exited', exitCode: 127, stdout: Buffer.from(`${at}\n`) });
    else t.match(end, { how: 'failed', error: { code: 'ENOENT', path: `/no/such/${at}` } });
  });
});

t.test('a script that names no interpreter runs within its limits as well', async (t) => {
  const folder = temporaryDir(t);
  const file = join(folder, 'script');
  writeFileSync(file, 'ulimit -n\n', { mode: 0o755 });
  const end = await call({ file, limits: kernelLimits(limits({ openFiles: 44 })) });
  t.equal(Buffer.from(end.stdout).toString(), '44\n');
});

t.test(
  'a program of another user, and one with limits, is started without a copy of this process',
  async (t) => {
    const restricted = kernelLimits(limits({ openFiles: 100 }));
    for (const command of [
      { limits: restricted },
      ...(isRoot ? [{ ids: NOBODY, limits: restricted }] : []),
    ]) {
      const around = { ledger: null, clock: systemClock, log: silentLog };
      const whole = { file: '/bin/sleep', args: ['300'], cwd: '/', env: ENV, ids: null, ...command };
      const process = new CallProcess(whole, around);
      t.ok(SpawnedProgram.isAwaited(process.group!.pid!));
      await process.abandon();
    }
  },
);

/** What would show it where it can run. */
const PAIR = new Uint8Array(new BigUint64Array([55n, 66n]).buffer);
const imageFor = (arch: 'x64' | 'arm64'): Buffer =>
  starterImage(INSTRUCTIONS[arch]!, [{ name: 'prlimit64', args: [0, 7, PAIR, 0] }], 3);

t.test('for each processor it is the program that was run there and did what it should', (t) => {
  const digests = Object.fromEntries(
    (['x64', 'arm64'] as const).map((arch) => [
      arch,
      createHash('sha256').update(imageFor(arch)).digest('hex'),
    ]),
  );
  t.same(digests, {
    x64: '79d6a665a2a18bd5d8ddbb4311d55b0bf13c9762f85184b7ae209fc50832c54f',
    arm64: 'c184de1160d9c9dba12b0c0519351f10a5c9347d33764d3af35a9b1b61de03ec',
  });
  t.end();
});

const qemu = ['qemu-aarch64-static', 'qemu-aarch64'].find((name) => lacks(name) === false);
const machines: ['x64' | 'arm64', readonly string[]][] = [[process.arch as 'x64', []]];
if (qemu !== undefined) machines.push(['arm64', [qemu]]);
for (const [arch, runner] of machines)
  t.test(`its instructions for ${arch} do what they say`, async (t) => {
    const folder = temporaryDir(t);
    const file = join(folder, 'starter');
    const reports = join(folder, 'reports');
    writeFileSync(file, imageFor(arch), { mode: 0o755 });
    const start = (
      path: string,
      ...words: string[]
    ): { stdout: string; status: number | null; pid: number } => {
      const fd = openSync(reports, 'w');
      const stdio = ['ignore', 'pipe', 'inherit', fd] as const;
      const [program = file, ...before] = [...runner, ...(runner.length === 1 ? ['-0', path, file] : [])];
      const argv0 = runner.length === 1 ? {} : { argv0: path };
      const ended = spawnSync(program, [...before, ...words], {
        ...argv0,
        stdio: [...stdio],
        encoding: 'utf8',
      });
      closeSync(fd);
      return ended;
    };
    const { stdout } = start('/bin/sh', 'sh', '-c', 'echo "$0 $1"; ulimit -Sn; ulimit -Hn', 'a', 'b');
    t.equal(stdout, 'a b\n55\n66\n');
    const failed = start('/no/such/program', 'x');
    t.equal(failed.status, 127);
    const report = readFileSync(reports);
    t.same(
      [0, 8, 16].map((at) => Number(report.readBigInt64LE(at))),
      [failed.pid, -2, 1],
    );
  });

t.test('where nothing can put limits on a program, that is said', async (t) => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/no/such/folder';
  t.teardown(() => (process.env['PATH'] = path));
  const folder = temporaryDir(t);
  const file = join(folder, 'script');
  writeFileSync(file, 'ulimit -n\n', { mode: 0o755 });
  const { how, error } = await call({ file, limits: kernelLimits(limits({ openFiles: 44 })) });
  t.equal(how, 'failed');
  t.match(error, { code: 'EIO', message: /no prlimit/, hint: /util-linux/ });
});
