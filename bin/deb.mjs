#!/usr/bin/env node
// `npm run deb`: acheron_<version>_amd64.deb and _arm64.deb in dist/deb, of what was built, with dpkg-deb alone. Native parts are
// those that the lockfile names; where npm has not installed them, as they are another machine's, npm fetches them, and
// they must be what the lockfile says. Equal sources and SOURCE_DATE_EPOCH make equal bytes.
//   node bin/deb.mjs [--arch amd64|arm64]… [--out DIR] [--version VERSION] [--level 0-9]
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { EXTERNAL, REQUIRED } from './externals.mjs';
import { copyPackages } from './npm-parts.mjs';
import { dateOfSources } from './date-of-sources.mjs';

const top = join(import.meta.dirname, '..');
const npmArch = { amd64: 'x64', arm64: 'arm64' };
const { values: flags } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: Object.keys(npmArch) },
    out: { type: 'string', default: join(top, 'dist/deb') },
    version: { type: 'string' },
    level: { type: 'string', default: '6' },
  },
});
const own = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const version = flags.version ?? own.version;
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? dateOfSources());
const maintainer = process.env.DEB_MAINTAINER ?? 'The Acheron authors <acheron@packages.debian.org>';

const work = mkdtempSync(join(tmpdir(), 'acheron-deb-'));
try {
  mkdirSync(resolve(flags.out), { recursive: true });
  for (const arch of flags.arch) console.log(build(arch));
} finally {
  rmSync(work, { recursive: true, force: true });
}

function build(arch) {
  if (npmArch[arch] === undefined)
    throw new Error(`There is no architecture "${arch}": amd64 and arm64 alone.`);
  const root = join(work, arch);
  program(join(root, 'usr/lib/acheron'), arch);
  system(root);
  documents(root);
  control(root, arch);
  settle(root);
  const file = join(resolve(flags.out), `acheron_${version}_${arch}.deb`);
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '-Zxz', `-z${flags.level}`, '--threads-max=1', '--build', root, file],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return file;
}

/** The program as the npm package has it, without what only those read who develop it. */
function program(to, arch) {
  const isWanted = (path) => !/\.(?:map|d\.ts)$|\/getMachineId-(?:bsd|darwin|win)-\w+\.js$/.test(path);
  const copy = (from, name = from) =>
    cpSync(join(top, from), join(to, name), { recursive: true, filter: isWanted });
  for (const part of ['dist/bundle', 'dist/console', 'dist/drivers', 'manifests']) copy(part);
  copy('drivers');
  for (const name of readdirSync(join(to, 'drivers')).filter((one) => one.endsWith('.ts')))
    rmSync(join(to, 'drivers', name));
  for (const name of readdirSync(join(to, 'dist/drivers'))) {
    const isProgram = readFileSync(join(to, 'dist/drivers', name), 'utf8').startsWith('#!');
    if (isProgram) chmodSync(join(to, 'dist/drivers', name), 0o755);
  }
  const { name, license, type } = own;
  write(join(to, 'package.json'), `${JSON.stringify({ name, version, license, type }, null, 2)}\n`);
  copyPackages({
    top,
    to: join(to, 'node_modules'),
    names: [...EXTERNAL, ...REQUIRED],
    cpu: npmArch[arch],
    work,
  });
}

/** What belongs to the system: the command, units, the mount helper, completions, manuals, and the place for what an admin writes. */
function system(root) {
  const install = (from, to, mode = 0o644) => {
    cpSync(join(top, from), put(root, to));
    chmodSync(join(root, to), mode);
  };
  symlinkSync('../lib/acheron/dist/bundle/bin/acheron.js', put(root, 'usr/bin/acheron'));
  install('packaging/mount.acheron', 'usr/sbin/mount.acheron', 0o755);
  for (const unit of readdirSync(join(top, 'packaging/systemd')))
    install(`packaging/systemd/${unit}`, `usr/lib/systemd/system/${unit}`);
  install('packaging/debian/config.json', 'etc/acheron/config.json');
  mkdirSync(join(root, 'etc/acheron/services'));
  install('packaging/debian/lintian-overrides', 'usr/share/lintian/overrides/acheron');
  const places = {
    bash: 'usr/share/bash-completion/completions/acheron',
    zsh: 'usr/share/zsh/vendor-completions/_acheron',
    fish: 'usr/share/fish/vendor_completions.d/acheron.fish',
  };
  for (const [shell, place] of Object.entries(places)) write(put(root, place), acheron('completion', shell));
  const pages = join(work, 'man');
  execFileSync(process.execPath, [join(top, 'bin/man.mjs'), pages], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
  });
  for (const page of readdirSync(pages).sort())
    writeZipped(put(root, `usr/share/man/man${page.slice(-1)}/${page}.gz`), readFileSync(join(pages, page)));
  symlinkSync('../man1/acheron-mount-helper.1.gz', put(root, 'usr/share/man/man8/mount.acheron.8.gz'));
}

/** Those that `acheron help TOPIC` prints are the program's: what lies in /usr/share/doc, slim systems leave out. */
function documents(root) {
  const program = 'usr/lib/acheron';
  const to = join(root, 'usr/share/doc/acheron');
  const pages = readdirSync(join(top, 'docs')).filter((one) => one.endsWith('.md'));
  for (const page of ['README.md', ...pages.map((one) => `docs/${one}`)]) {
    const link = put(to, page);
    cpSync(join(top, page), put(root, join(program, page)));
    symlinkSync(relative(dirname(link), join(root, program, page)), link);
  }
  writeZipped(join(to, 'NEWS.gz'), readFileSync(join(top, 'CHANGELOG.md')));
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `acheron (${version}) unstable; urgency=medium\n\n  * NEWS.gz says what changed.\n\n -- ${maintainer}  ${date}\n`;
  writeZipped(join(to, 'changelog.gz'), Buffer.from(entry));
  write(join(to, 'copyright'), copyright());
}

/** What is joined into the program, or lies beside it, under the licence of each. */
function copyright() {
  const { packages } = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8'));
  const parts = Object.entries(packages).filter(([path, one]) => path !== '' && one.dev !== true);
  const licences = new Map();
  for (const [path, { license = 'unknown' }] of parts) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    licences.set(license, (licences.get(license) ?? new Set()).add(name));
  }
  const listed = [...licences]
    .sort()
    .map(([licence, names]) => `${licence}: ${[...names].sort().join(', ')}`);
  const text = readFileSync(join(top, 'LICENSE'), 'utf8');
  return `Acheron\n\n${text}\nParts of other authors, joined into the program or beside it in /usr/lib/acheron/node_modules, which have\ntheir notices in them:\n\n${listed.join('\n\n')}\n\nThe texts of Apache-2.0 and BSD are in /usr/share/common-licenses.\n`;
}

function control(root, arch) {
  const to = join(root, 'DEBIAN');
  const size = Math.ceil(entriesOf(root).reduce((sum, path) => sum + lstatSync(path).size, 0) / 1024);
  write(
    join(to, 'control'),
    [
      'Package: acheron',
      `Version: ${version}`,
      `Architecture: ${arch}`,
      `Maintainer: ${maintainer}`,
      `Installed-Size: ${size}`,
      'Depends: nodejs (>= 20.19), fuse3, adduser, libc6 (>= 2.31), libstdc++6 (>= 10)',
      'Suggests: python3',
      'Section: net',
      'Priority: optional',
      'Homepage: https://www.npmjs.com/package/acheron',
      'Description: services as files',
      ' Write JSON to a file to run a service, read its answer from a file. Acheron',
      ' shows programs of this machine and of others as a tree of files, which shells,',
      ' scripts, agents and people use with what they know: cat, ls, echo, editors.',
      ' .',
      ' This package has the command, a control plane, nodes and mounts as services of',
      ' systemd, and the helper for mount(8) and fstab.',
      '',
    ].join('\n'),
  );
  write(join(to, 'conffiles'), '/etc/acheron/config.json\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(top, 'packaging/debian', script), join(to, script));
    chmodSync(join(to, script), 0o755);
  }
  const sums = entriesOf(root)
    .filter((path) => lstatSync(path).isFile() && !path.startsWith(`${to}/`))
    .map((path) => path.slice(root.length + 1));
  const listed = execFileSync('md5sum', sums.sort(), { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  write(join(to, 'md5sums'), listed);
}

/** Modes and times that do not depend on who built it, and when. */
function settle(root) {
  for (const path of [root, ...entriesOf(root)]) {
    const stats = lstatSync(path);
    if (!stats.isSymbolicLink()) {
      const runs = stats.isDirectory() || ((stats.mode & 0o111) !== 0 && !path.endsWith('.node'));
      chmodSync(path, runs ? 0o755 : 0o644);
    }
    lutimesSync(path, epoch, epoch);
  }
}

function entriesOf(root) {
  return readdirSync(root, { recursive: true })
    .map((name) => join(root, name))
    .sort();
}

function put(root, path) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  return join(root, path);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function writeZipped(path, bytes) {
  write(path, gzipSync(bytes, { level: 9 }));
}

function acheron(...args) {
  const env = {
    PATH: process.env.PATH,
    HOME: work,
    ACHERON_CONFIG: join(top, 'packaging/debian/config.json'),
  };
  return execFileSync(process.execPath, [join(top, 'dist/bundle/bin/acheron.js'), ...args], { env });
}
