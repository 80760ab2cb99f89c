#!/usr/bin/env node
// What `npm start`, `npm test`, `npm pack` and `npm run bench` do on a machine that has Node and this checkout and
// nothing else: install what is missing, build what is stale, then hand over. Plain JavaScript, because
// it runs before anything is installed or compiled.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');
const acheron = join(top, 'dist/bundle/bin/acheron.js');
const wants = {
  start: { debian: { fusermount3: 'fuse3' } },
  stop: { debian: {} },
  build: { debian: {} },
  deb: { debian: { 'dpkg-deb': 'dpkg' } },
  endurance: { debian: { fusermount3: 'fuse3' } },
  test: {
    debian: {
      fusermount3: 'fuse3',
      gcc: 'gcc',
      python3: 'python3',
      '/usr/lib/python3/dist-packages/websockets': 'python3-websockets',
      jq: 'jq',
      zsh: 'zsh',
      fish: 'fish',
      dash: 'dash',
      rsync: 'rsync',
      vim: 'vim',
      setfattr: 'attr',
      ip: 'iproute2',
      setpriv: 'util-linux',
      openssl: 'openssl',
      'ssh-keygen': 'openssh-client',
      gpg: 'gnupg',
      '/usr/lib/postgresql': 'postgresql',
      '/usr/bin/chromium': 'chromium',
    },
  },
  bench: {
    debian: {
      fusermount3: 'fuse3',
      gcc: 'gcc',
      'pkg-config': 'pkg-config',
      python3: 'python3',
      '/usr/include/fuse3/fuse.h': 'libfuse3-dev',
      sshfs: 'sshfs',
      sshd: 'openssh-server',
    },
  },
};

// To make ready is all of a test run but the tests.
wants.ready = wants.test;

const [task = 'start', ...rest] = process.argv.slice(2);
const want = Object.hasOwn(wants, task) ? wants[task] : undefined;
if (want === undefined) {
  console.error(`There is no task "${task}". Use one of: ${Object.keys(wants).join(', ')}.`);
  process.exit(2);
}

installDebian(want.debian);
if (task !== 'stop' || !existsSync(acheron)) {
  installNpm(top);
  if (task === 'test' || task === 'ready') installNpm(join(top, 'test/nodes'));
  build();
}
hand(task);

/** Installs missing Debian packages when that is possible; else names them and goes on. */
function installDebian(programs) {
  const missing = Object.entries(programs)
    .filter(([program]) => !onPath(program))
    .map(([, name]) => name);
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && onPath('apt-get');
  if (canInstall) {
    say(`installing ${missing.join(' ')} (Debian)`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'], env });
    if (missing.includes('postgresql')) withoutCluster(env);
    const done = spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env,
    });
    if (done.status === 0) return;
  }
  say(
    `these Debian packages are missing: ${missing.join(' ')}. As root: apt-get install ${missing.join(' ')}`,
  );
}

/** Debian would make a database of its own and run it; tests make theirs, in temporary directories. */
function withoutCluster(env) {
  const options = ['install', '-y', '-qq', '--no-install-recommends', 'postgresql-common'];
  spawnSync('apt-get', options, { stdio: ['ignore', 'ignore', 'inherit'], env });
  const settings = '/etc/postgresql-common/createcluster.conf';
  const before = existsSync(settings) ? readFileSync(settings, 'utf8') : '';
  if (!/^create_main_cluster *= *false/m.test(before))
    writeFileSync(settings, `${before}\ncreate_main_cluster = false\n`);
}

function onPath(program) {
  if (program.startsWith('/')) return existsSync(program);
  return (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** `npm ci` in `folder`, unless its node_modules already holds what the lockfile says. */
function installNpm(folder) {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const stamp = join(folder, 'node_modules', '.acheron-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  writeFileSync(stamp, lock);
}

/** Compiles and bundles; what an earlier build made of sources that are gone or have moved is removed first. */
function build() {
  for (const folder of ['lib', 'bin', 'drivers', 'test', 'bench']) prune(folder);
  run(process.execPath, [join(top, 'node_modules/typescript-7/bin/tsc'), '-p', top]);
  run(process.execPath, [join(top, 'bin/bundle.mjs')]);
}

function prune(folder) {
  const built = join(top, 'dist', folder);
  if (!existsSync(built)) return;
  for (const name of readdirSync(built, { recursive: true })) {
    const source = /^(.+)\.(?:js|js\.map|d\.ts)$/.exec(name)?.[1];
    if (source !== undefined && !existsSync(join(top, folder, `${source}.ts`)))
      rmSync(join(built, name), { force: true });
  }
}

function hand(name) {
  if (name === 'start') {
    say('npm stop unmounts it.');
    run(process.execPath, [acheron, 'up', './mnt', '--background', '--console-link', ...rest]);
  }
  if (name === 'stop') run(process.execPath, [acheron, 'unmount', './mnt']);
  if (name === 'test') run(process.execPath, [join(top, 'dist/test/main.js'), ...rest]);
  if (name === 'endurance')
    run(process.execPath, [
      join(top, 'dist/test/main.js'),
      '--endurance',
      '--jobs=1',
      '--timeout=7200',
      ...rest,
    ]);
  if (name === 'deb') run(process.execPath, [join(top, 'bin/deb.mjs'), ...rest]);
  if (name === 'bench') run(process.execPath, [join(top, 'dist/bench/main.js'), ...rest]);
}

function run(command, args, cwd = top) {
  const done = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (done.error) say(`${command} could not be run: ${done.error.message}`);
  if (done.status !== 0) process.exit(done.status ?? 1);
}

function say(line) {
  console.error(`acheron: ${line}`);
}
