import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileLock } from '../../lib/disk/file-lock.js';
import { inspectMountpoint } from '../../lib/fuse/index.js';
import { PROGRAM, type Ran } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';

/** `nobody` of Debian. */
const NOBODY = 65_534;
/** Long after the program itself would have given up; what hangs is killed then, and fails the test. */
const MOST_MS = 60_000;

interface Place {
  readonly top: string;
  readonly state: string;
  readonly mount: string;
}

function placeFor(t: Test): Place {
  const top = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  chmodSync(top, 0o755);
  const state = join(top, 'state');
  mkdirSync(state, { mode: 0o700 });
  return { top, state, mount: join(top, 'mnt') };
}

/** Runs `program` to its end, in a mount namespace of its own where `setUp` is run first. */
async function run(t: Test, place: Place, args: readonly string[], setUp = ''): Promise<Ran> {
  // What a runner of tests puts into every program may need files that another user must not write.
  const inner = `unset NODE_OPTIONS\n${setUp}\nexec "$@"`;
  const child = spawn(
    'unshare',
    ['-m', '--propagation', 'private', 'sh', '-ec', inner, 'sh', process.execPath, PROGRAM, ...args],
    {
      env: { ...cleanEnvironment(), NO_COLOR: '1', HOME: place.top },
      timeout: MOST_MS,
      killSignal: 'SIGKILL',
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end();
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

async function leavesNothing(t: Test, { state, mount }: Place, { status, stderr }: Ran): Promise<void> {
  t.equal(status, 1, `it ends by itself: ${stderr}`);
  t.match(stderr, /^acheron: .+ \(E[A-Z]+\)\n/m, 'with a sentence');
  t.notMatch(stderr, /bug in Acheron|\n {4}at |left running/);
  t.equal((await inspectMountpoint(mount)).state, 'free', 'nothing stays mounted');
  t.notOk(existsSync(mount), 'nor does the directory that was made for it');
  for (const name of ['node.json.lock', 'control.db.lock']) {
    let lock: FileLock | undefined;
    try {
      lock = FileLock.tryAcquire(join(state, name));
    } catch {
      continue; // the obstacle of this very case
    }
    t.ok(lock, `${name} is free`);
    lock?.release();
  }
}

/** What stands in the way of one step of a start: put there, then the command that meets it, and what it says. */
type Obstacle = [step: string, put: (place: Place) => void, args: (place: Place) => string[], says: RegExp];

const up = ({ state, mount }: Place): string[] => [
  'up',
  mount,
  '--state-dir',
  state,
  '--no-control',
  '--no-bundled',
];
const control = ({ state }: Place): string[] => ['control', '--state-dir', state, '--port', '0'];
const directoryAt =
  (name: string) =>
  ({ state }: Place): void => {
    mkdirSync(join(state, name));
  };
const nothing = (): void => undefined;

const OBSTACLES: Obstacle[] = [
  [
    'the state directory',
    ({ state }) => {
      rmSync(state, { recursive: true });
      writeFileSync(state, '');
    },
    up,
    /state/,
  ],
  ['the local socket', directoryAt('acheron.sock'), up, /acheron\.sock/],
  [
    'the mount itself',
    nothing,
    (place) => [...up(place), '--fuse-binding', 'fuse-native', '--allow-other'],
    /fuse-native/,
  ],
  ["a control plane's first tokens", directoryAt('admin.token'), control, /state/],
  [
    "a control plane's certificate",
    ({ top }) => {
      writeFileSync(join(top, 'bad.pem'), 'no certificate', { mode: 0o600 });
    },
    (place) => [
      ...control(place),
      '--tls-cert',
      join(place.top, 'bad.pem'),
      '--tls-key',
      join(place.top, 'bad.pem'),
    ],
    /certificate and its key cannot be used/,
  ],
];

t.jobs = 3;

for (const [step, put, args, says] of OBSTACLES)
  t.test(`a start that fails at ${step} says so, ends, and leaves nothing`, async (t) => {
    const place = placeFor(t);
    put(place);
    const ran = await run(t, place, args(place));
    await leavesNothing(t, place, ran);
    t.match(ran.stderr, says);
  });

t.test('a start that fails at the port says so, ends, and leaves nothing', async (t) => {
  const place = placeFor(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const ran = await run(t, place, ['control', '--state-dir', place.state, '--port', String(port)]);
  await leavesNothing(t, place, ran);
});

for (const background of [[], ['--background']])
  t.test(
    `a user that may not open /dev/fuse gets the reason, and nothing runs on ${background.join('')}`,
    { skip: process.getuid!() === 0 ? false : 'only root can make a device node and become somebody else' },
    async (t) => {
      const place = placeFor(t);
      for (const path of [place.top, place.state]) chownSync(path, NOBODY, NOBODY);
      const ran = await run(
        t,
        place,
        [...up(place), ...background],
        `mount -t tmpfs -o mode=755 acheron-test /mnt
        mknod -m 600 /mnt/fuse c 10 229
        mount --bind /mnt/fuse /dev/fuse
        set -- setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`,
      );
      await leavesNothing(t, place, ran);
      t.match(ran.stderr, /\/dev\/fuse/);
    },
  );

for (const [size, command] of [
  [256, up],
  [160, control],
] as const)
  t.test(
    `a disk that is full at the start of ${command === up ? 'up' : 'control'} is reported with its path`,
    async (t) => {
      const place = placeFor(t);
      const fill = `mount -t tmpfs -o size=256k,mode=700 acheron-test "${place.state}"
      head -c ${size}k /dev/zero >"${place.state}/fill"`;
      const ran = await run(t, place, command(place), fill);
      t.equal(ran.status, 1, `it ends by itself: ${ran.stderr}`);
      t.match(ran.stderr, new RegExp(`${place.state}.*\\(ENOSPC\\)\n.*disk is full`));
      t.notMatch(ran.stderr, /left running/);
    },
  );
