// Packages of node_modules, and those of another machine's kind, copied for a package of a distribution.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What only those read who build the packages, or work on them. */
const LEFT_OUT =
  /(?:^|\/)(?:vendor|musl_\w+|docs?|tests?|cnoke\.cjs|benchmarks?|esm|esnext)(?:\/|$)|\.(?:map|md|ts|mts|cts|c|cc|cpp|h|hh|S|txt|gyp|gypi)$|(?:^|\/)\.[^/]+$/;

/**
 * Copies the packages `names` with all that they need on glibc Linux with that processor, in the versions of the lockfile.
 * What npm has not installed is fetched by npm, and has the digest that the lockfile says.
 */
export function copyPackages({ top, to, names, cpu, work }) {
  const { packages } = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8'));
  const wanted = [...names];
  const copied = new Set();
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    const locked = packages[`node_modules/${name}`];
    if (locked === undefined) throw new Error(`The lockfile has no package ${name}.`);
    if (copied.has(name)) continue;
    copied.add(name);
    const from = sourceOf({ top, name, locked, work });
    cpSync(from, join(to, name), {
      recursive: true,
      dereference: true,
      filter: (path) => !LEFT_OUT.test(path.slice(from.length + 1)),
    });
    wanted.push(...Object.keys(locked.dependencies ?? {}));
    wanted.push(...Object.keys(locked.optionalDependencies ?? {}).filter((one) => isFor(packages, one, cpu)));
  }
}

function isFor(packages, name, cpu) {
  const locked = packages[`node_modules/${name}`];
  const { os = ['linux'], cpu: cpus = [cpu] } = locked ?? {};
  return locked !== undefined && os.includes('linux') && cpus.includes(cpu) && !name.includes('musl');
}

function sourceOf({ top, name, locked, work }) {
  const installed = join(top, 'node_modules', name);
  const manifest = join(installed, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === locked.version)
    return installed;
  return fetched({ name, locked, work });
}

function fetched({ name, locked, work }) {
  const to = join(work, 'npm', name);
  if (existsSync(join(to, 'package'))) return join(to, 'package');
  mkdirSync(to, { recursive: true });
  execFileSync('npm', ['pack', `${name}@${locked.version}`, '--silent', '--pack-destination', to], {
    cwd: to,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [archive] = readdirSync(to).filter((one) => one.endsWith('.tgz'));
  const path = join(to, archive);
  const [algorithm, digest] = locked.integrity.split('-');
  const found = createHash(algorithm).update(readFileSync(path)).digest('base64');
  if (found !== digest)
    throw new Error(`${name} ${locked.version} is not what the lockfile says: ${algorithm}-${found}.`);
  execFileSync('tar', ['-xzf', path, '-C', to, '--no-same-owner']);
  return join(to, 'package');
}
