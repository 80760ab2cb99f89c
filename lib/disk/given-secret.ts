import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { resolve, sep } from 'node:path';
import { FsError } from '../core/index.js';

/** Where a service manager or a container puts secrets, with modes of its own. */
const MANAGED = ['/run/secrets', '/var/run/secrets'];

/**
 * The text of a file with a secret that we were given by name: a token, an invite, a key. As with the keys of ssh,
 * one that other accounts may read is refused, as it is no secret then. A group may read what root owns; what a
 * service manager put there (`$CREDENTIALS_DIRECTORY`, /run/secrets) is its own affair, and so is a pipe.
 * @throws FsError EACCES, with what to do; as `open` does
 */
export function readGivenSecret(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const stats = fstatSync(fd);
    if (stats.isFile() && !isManaged(path)) requireSecret(path, stats);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function requireSecret(path: string, { uid, mode }: Stats): void {
  const forOthers = mode & (uid === 0 ? 0o037 : 0o077);
  if (forOthers === 0) return;
  const shown = (mode & 0o7777).toString(8).padStart(4, '0');
  throw new FsError(
    'EACCES',
    `The secret in ${path} is open to other accounts of this machine (mode ${shown}).`,
    {
      hint: `chmod ${uid === 0 ? 'g-wx,o-rwx' : 'go-rwx'} ${path}, and make a new secret if somebody may have read it.`,
      path,
    },
  );
}

function isManaged(path: string): boolean {
  const { CREDENTIALS_DIRECTORY } = process.env;
  const dirs = CREDENTIALS_DIRECTORY === undefined ? MANAGED : [...MANAGED, CREDENTIALS_DIRECTORY];
  return dirs.some((dir) => resolve(path).startsWith(resolve(dir) + sep));
}
