import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { FsError } from '../../core/index.js';
import { mountEntryAt } from './mountinfo.js';

const MAX_LINKS = 40;

/**
 * The path under which the kernel lists a mount on `dir`. The directory itself is looked at only once the
 * mount table says that nothing is mounted there, since touching a dead mount may hang. The owner of a symbolic
 * link on the way decides where it leads, so that owner must be root or the caller.
 * @throws FsError ELOOP, EACCES for a link of somebody else, or what resolving its parent throws; a parent
 *   that does not exist is no error.
 */
export async function resolveMountDir(dir: string): Promise<string> {
  let path = parse(resolve(dir)).root;
  const missing = namesOf(resolve(dir));
  let links = 0;
  for (let name = missing.shift(); name !== undefined; name = missing.shift()) {
    if (name === '..') {
      path = dirname(path);
      continue;
    }
    const next = join(path, name);
    const isLast = missing.length === 0;
    const stats = isLast && mountEntryAt(next) !== undefined ? null : await lookAt(next, isLast);
    if (stats?.isSymbolicLink() !== true) {
      path = next;
      continue;
    }
    if (++links > MAX_LINKS)
      throw new FsError('ELOOP', `${dir} leads through too many symbolic links.`, { path: dir });
    requireOwnLink(next, stats);
    const target = await readlink(next);
    if (target.startsWith(sep)) path = parse(target).root;
    missing.unshift(...namesOf(target));
  }
  return path;
}

const namesOf = (path: string): string[] => path.split(sep).filter((name) => name !== '' && name !== '.');

/** Null for what is not there, and for a last name that cannot be looked at. */
async function lookAt(path: string, isLast: boolean): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (isLast || error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  }
}

function requireOwnLink(path: string, { uid }: Stats): void {
  if (uid === 0 || uid === process.geteuid?.()) return;
  throw new FsError('EACCES', `${path} is a symbolic link of another user (uid ${uid}).`, {
    path,
    hint: 'That user says where it leads. Name the directory itself.',
  });
}
