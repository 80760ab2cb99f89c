import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { FsError } from '../../core/index.js';
import { isKernelType, mountOf, readMounts } from './mount-table.js';

/** As many symlinks are followed on the way to a path, as by the kernel. */
const MAX_LINKS = 40;

/**
 * Where a path is, described in two ways that neither symlinks nor bind mounts can hide: by what it is and the directories
 * are that lead to it, those of symlinks on the way included; and by where these lie within their filesystems.
 */
export interface Place {
  /** What distinguishes the path from all others; the path itself where it is not there. */
  readonly own: string;
  readonly leading: ReadonlySet<string>;
  /** The path itself is the last. */
  readonly locations: readonly Location[];
}

interface Location {
  readonly device: string;
  /** The path within the filesystem, without an end of `/`. */
  readonly inside: string;
}

/** @throws FsError what lstat(2) of a part of it fails with, but for ENOENT; ELOOP */
export function placeOf(path: string, mounts = readMounts()): Place {
  const { directories, end, missing } = wayTo(path);
  const leading = new Set(directories.map(keyOf));
  let own = keyOf(end);
  for (let count = 1; count <= missing.length; count++)
    leading.add((own = `path ${join(end, ...missing.slice(0, count))}`));
  const locations = [...new Set(directories)].flatMap((directory) => {
    const mount = mountOf(directory, mounts);
    if (mount === undefined) return [];
    const inside = join(mount.root, relative(mount.mountPoint, directory));
    return [
      { device: mount.device, inside: withoutEnd(directory === end ? join(inside, ...missing) : inside) },
    ];
  });
  return { own, leading, locations };
}

/** How `own` stands to `other`; undefined where they have nothing to do with each other. */
export function relationOf(own: Place, other: Place): 'contains' | 'lies in' | undefined {
  if (leadsTo(own, other)) return 'contains';
  return leadsTo(other, own) ? 'lies in' : undefined;
}

function leadsTo(outer: Place, inner: Place): boolean {
  if (inner.leading.has(outer.own)) return true;
  const end = outer.locations.at(-1);
  return inner.locations.some(
    ({ device, inside }) => device === end?.device && `${inside}/`.startsWith(`${end.inside}/`),
  );
}

/** The real directories that decide what `path` names, what it names as the last; and what of it is not there. */
function wayTo(path: string): { directories: string[]; end: string; missing: string[] } {
  const directories: string[] = [];
  let at = '/';
  let names = namesIn(resolve(path));
  for (let links = 0; names.length > 0;) {
    const [name, ...rest] = names as [string, ...string[]];
    if (name === '..') {
      at = dirname(at);
      names = rest;
      continue;
    }
    directories.push(at);
    const next = join(at, name);
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined) return { directories, end: at, missing: names };
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS)
        throw new FsError('ELOOP', `Too many symbolic links lead to ${path}.`, { path });
      const target = readlinkSync(next);
      if (isAbsolute(target)) at = '/';
      names = [...namesIn(target), ...rest];
    } else {
      at = next;
      names = rest;
    }
  }
  return { directories: [...directories, at], end: at, missing: [] };
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function keyOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

function withoutEnd(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * @throws FsError EINVAL when the directory `path` holds, is, or lies in one of `forbidden` (which need
 * not exist yet), or in a filesystem that is the kernel's face (`/proc`, `/sys`, `/dev`) or our own mount
 */
export function checkOverlap(name: string, path: string, forbidden: readonly string[]): void {
  const mounts = readMounts();
  const own = placeOf(path, mounts);
  const mount = mountOf(realpathSync(path), mounts);
  if (mount !== undefined && isKernelType(mount.fsType))
    throw refusal(name, path, `it lies in a filesystem of the type ${mount.fsType}`);
  for (const other of ['/proc', '/sys', '/dev'])
    if (leadsTo(placeOf(other, mounts), own)) throw refusal(name, path, `it lies in ${other}`);
  for (const other of forbidden) {
    const relation = relationOf(own, placeOf(other, mounts));
    if (relation !== undefined) throw refusal(name, path, `it ${relation} ${other}, which is kept apart`);
  }
}

function refusal(name: string, path: string, why: string): FsError {
  return new FsError('EINVAL', `The export ${JSON.stringify(name)} (${path}) is refused: ${why}.`, {
    path,
    hint: 'Export a directory that has nothing to do with the mount point, state, tokens, manifests or drivers, nor with /proc, /sys or /dev.',
  });
}
