import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const top = join(import.meta.dirname, '../../..');
const skip = spawnSync('dpkg-deb', ['--version']).status === 0 ? false : 'dpkg-deb is not installed';
/** Where npm has installed the native parts of this machine alone, others are fetched: that takes a network. */
const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Builds the package with the time that is given; answers its path. */
async function built(t: Test): Promise<string> {
  const out = temporaryDir(t);
  const { stdout } = await execa(
    process.execPath,
    [join(top, 'bin/deb.mjs'), '--arch', ARCH, '--out', out, '--level', '0'],
    {
      env: { ...cleanEnvironment(), SOURCE_DATE_EPOCH: '1700000000' },
      extendEnv: false,
    },
  );
  return stdout.trim();
}

t.setTimeout(240_000);

t.test('the Debian package', { skip, timeout: 240_000 }, async (t) => {
  const file = await built(t);
  const root = join(temporaryDir(t), 'root');
  await execa('dpkg-deb', ['--raw-extract', file, root]);
  const listed = (await execa('dpkg-deb', ['--contents', file])).stdout.split('\n');

  t.test('belongs to root, with modes that others cannot use to change it', async (t) => {
    const isFine = (line: string): boolean =>
      /^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|l\S+) root\/root /.test(line);
    t.same(
      listed.filter((line) => !isFine(line)),
      [],
    );
  });

  t.test('has the command, units, the mount helper, completions and what an admin edits', async (t) => {
    for (const path of [
      'usr/sbin/mount.acheron',
      'usr/lib/systemd/system/acheron-control.service',
      'usr/lib/systemd/system/acheron-node.service',
      'usr/lib/systemd/system/acheron-mount@.service',
      'usr/share/bash-completion/completions/acheron',
      'usr/share/zsh/vendor-completions/_acheron',
      'usr/share/fish/vendor_completions.d/acheron.fish',
      'usr/share/doc/acheron/copyright',
      'usr/share/man/man1/acheron-up.1.gz',
      'usr/share/man/man5/acheron-manifest.5.gz',
      'usr/share/man/man8/mount.acheron.8.gz',
      'etc/acheron/services',
    ])
      t.ok(existsSync(join(root, path)), path);
    const sums = readFileSync(join(root, 'DEBIAN/md5sums'), 'utf8').trimEnd().split('\n');
    const summed = sums.map((line) => join(root, line.slice(34)));
    t.same(
      summed.filter((path) => realpathSync(path) !== path),
      [],
      'sums are of files, not of what links lead to',
    );
    t.match(readFileSync(join(root, 'usr/share/doc/acheron/docs/ADMIN.md'), 'utf8'), /^# /);
    t.equal(readFileSync(join(root, 'DEBIAN/conffiles'), 'utf8'), '/etc/acheron/config.json\n');
    const control = readFileSync(join(root, 'DEBIAN/control'), 'utf8');
    t.match(control, new RegExp(`^Architecture: ${ARCH}$`, 'm'));
    t.match(control, /^Depends: nodejs \(>= 20\.19\), fuse3,/m);
  });

  t.test('runs from where it is, without anything else of npm', async (t) => {
    const home = temporaryDir(t);
    const env = {
      ...cleanEnvironment(),
      HOME: home,
      ACHERON_STATE_DIR: join(home, 'state'),
      ACHERON_CONFIG: join(root, 'etc/acheron/config.json'),
      NO_COLOR: '1',
    };
    const run = (...args: string[]) =>
      execa(join(root, 'usr/bin/acheron'), args, { env, extendEnv: false, reject: false });
    t.match(await run('--version'), { exitCode: 0 });
    t.match(await run('help', 'manifest'), { exitCode: 0, stdout: /^Service manifests\n/ });
    t.match(await run('validate', join(root, 'usr/lib/acheron/manifests/services/echo.json')), {
      exitCode: 0,
    });
    const plane = spawn(join(root, 'usr/bin/acheron'), ['control', '--port', '0'], { env });
    const ended = once(plane, 'exit');
    let said = '';
    for (const stream of [plane.stdout, plane.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    t.teardown(async () => {
      plane.kill();
      await ended;
    });
    await until(() => said.includes('Tokens:') || plane.exitCode !== null, 'the control plane');
    t.match(said, /Tokens:/);
    t.match(await run('token', 'list'), { exitCode: 0, stdout: /admin/ }, 'a database, locks and WebSockets');
  });

  t.test('has nothing for those who develop it, nor for other machines', async (t) => {
    const names = readdirSync(join(root, 'usr/lib/acheron'), { recursive: true, encoding: 'utf8' });
    t.same(
      names.filter((name) => /\.(?:map|d\.ts)$|node_modules.*\.[ch]$|musl|win32|darwin/.test(name)),
      [],
    );
    t.ok(
      names.some((name) => name.endsWith('.node')),
      'native parts are there',
    );
  });

  t.test('its maintainer scripts are scripts that sh and a machine without systemd take', async (t) => {
    const scripts = readdirSync(join(root, 'DEBIAN')).filter((name) => /^(?:pre|post)/.test(name));
    t.same(scripts.sort(), ['postinst', 'postrm', 'prerm']);
    for (const name of scripts) {
      const path = join(root, 'DEBIAN', name);
      t.match(readFileSync(path, 'utf8'), /^#!\/bin\/sh\nset -e\n/);
      t.match(await execa('sh', ['-n', path], { reject: false }), { exitCode: 0 });
      if (spawnSync('shellcheck', ['--version']).status === 0)
        t.match(await execa('shellcheck', [path], { reject: false }), { exitCode: 0, stdout: '' });
    }
  });

  t.test('is the same, byte for byte, when it is built again', async (t) => {
    t.ok(readFileSync(await built(t)).equals(readFileSync(file)));
  });
});

t.test('the configuration of the package sets nothing by itself', async (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'state'), { mode: 0o700 });
  const env = { ...cleanEnvironment(), ACHERON_CONFIG: join(top, 'packaging/debian/config.json') };
  const program = join(top, 'dist/bundle/bin/acheron.js');
  const ran = await execa(process.execPath, [program, 'token', 'list', '--state-dir', join(dir, 'state')], {
    env,
    extendEnv: false,
    reject: false,
  });
  t.match(ran.stderr, /There is no token/, 'it is read, and the command goes on');
});
