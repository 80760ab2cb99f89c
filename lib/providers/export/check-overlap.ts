import { realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { FsError } from '../../core/index.js';
import { hostErrorFrom } from './host-error.js';
import { isKernelType, mountOf, readMounts } from './mount-table.js';

/**
 * Where a path is, told in two ways that neither symlinks nor bind mounts can hide: what it and the directories
 * above it are, and where it lies within its filesystem.
 */
export interface Place {
  /** What tells the path and each directory above it from all others, the innermost first; a part that is not there by its path. */
  readonly upwards: readonly string[];
  readonly device: string | null;
  /** The path within the filesystem, without an end of `/`. */
  readonly inside: string;
}

/** @throws FsError what stat(2) of a part of it fails with, but for ENOENT */
export function placeOf(path: string, mounts = readMounts()): Place {
  const upwards: string[] = [];
  let there = resolve(path);
  let real = realPathIfThere(there);
  while (real === undefined) {
    upwards.push(`path ${there}`);
    there = dirname(there);
    real = realPathIfThere(there);
  }
  const mount = mountOf(real, mounts);
  const inside =
    mount === undefined
      ? ''
      : join(mount.root, relative(mount.mountPoint, real), relative(there, resolve(path)));
  for (let at = real; ; at = dirname(at)) {
    const { dev, ino } = statSync(at, { bigint: true });
    upwards.push(`${dev}:${ino}`);
    if (at === dirname(at)) break;
  }
  return { upwards, device: mount?.device ?? null, inside: inside.replace(/\/$/, '') };
}

/** How `own` stands to `other`; undefined where they have nothing to do with each other. */
export function relationOf(own: Place, other: Place): 'contains' | 'lies in' | undefined {
  if (other.upwards.includes(own.upwards[0]!) || isWithin(other, own)) return 'contains';
  return own.upwards.includes(other.upwards[0]!) || isWithin(own, other) ? 'lies in' : undefined;
}

function isWithin(inner: Place, outer: Place): boolean {
  return (
    inner.device !== null &&
    inner.device === outer.device &&
    `${inner.inside}/`.startsWith(`${outer.inside}/`)
  );
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
    if (own.upwards.includes(placeOf(other, mounts).upwards[0]!))
      throw refusal(name, path, `it lies in ${other}`);
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

function realPathIfThere(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (thrown) {
    const error = hostErrorFrom(thrown);
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
