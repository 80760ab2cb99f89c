import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FsError } from '../core/index.js';
import { replaceFile } from './replace-file.js';

/**
 * A random secret that is made once and kept in a file of its own, mode 0600.
 * @throws FsError EIO when the file holds anything but such a secret: a guessable one must never be used.
 */
export function readOrMakeSecret(path: string, bytes: number, purpose: string): Buffer {
  let secret: Buffer;
  try {
    secret = readFileSync(path);
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'ENOENT') throw FsError.from(thrown);
    secret = randomBytes(bytes);
    replaceFile(path, secret);
    return secret;
  }
  if (secret.length === bytes && secret.some((byte) => byte !== secret[0])) return secret;
  throw new FsError('EIO', `${path} is damaged: it is not a key of ${bytes} random bytes (${purpose}).`, {
    hint: `Restore it from a backup, or move it away: a new key is made then.`,
    path,
  });
}
