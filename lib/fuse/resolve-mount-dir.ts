import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FsError } from '../core/index.js';
import { mountEntryAt } from './mountinfo.js';

const MAX_LINKS = 40;

/**
 * The path under which the kernel lists a mount on `dir`. The directory itself is looked at only once the
 * mount table says that nothing is mounted there, since a dead mount may hang whoever touches it.
 * @throws FsError ELOOP, or what resolving its parent throws; a parent that does not exist is no error.
 */
export async function resolveMountDir(dir: string): Promise<string> {
  let path = resolve(dir);
  for (let links = 0; links < MAX_LINKS; links++) {
    const parent = await realParent(dirname(path));
    const candidate = parent === path ? path : join(parent, basename(path));
    if (mountEntryAt(candidate) !== undefined) return candidate;
    try {
      path = resolve(parent, await readlink(candidate));
    } catch {
      return candidate; // not a symlink, or not there
    }
  }
  throw new FsError('ELOOP', `${dir} leads through too many symbolic links.`, { path: dir });
}

async function realParent(parent: string): Promise<string> {
  try {
    return await realpath(parent);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
      const above = dirname(parent);
      return above === parent ? parent : join(await realParent(above), basename(parent));
    }
    throw FsError.from(thrown);
  }
}
