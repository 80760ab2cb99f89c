import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { FsError } from '../../core/index.js';

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/;

/**
 * The variables of a file of secrets: NAME=VALUE lines, a value in quotes or not; lines that begin with # say nothing.
 * @throws FsError EACCES where other accounts may read it, EINVAL for a line that is neither; never with a value in it
 */
export function readEnvFile(path: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [index, line] of readSecret(path).split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value = ''] = LINE.exec(line) ?? [];
    if (name === undefined)
      throw new FsError('EINVAL', `Line ${index + 1} of ${path} is no NAME=VALUE.`, {
        hint: 'Correct it.',
        path,
      });
    env[name] = /^(["']).*\1$/s.test(value) ? value.slice(1, -1) : value;
  }
  return env;
}

function readSecret(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    throw new FsError('EIO', `The file of variables ${path} cannot be read (${code}).`, {
      hint: 'Put it there, or correct "env_file" in the manifest.',
      cause: thrown,
    });
  }
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0)
      throw new FsError('EACCES', `The secrets in ${path} are open to other accounts of this machine.`, {
        hint: `chmod 600 ${path}, and make new secrets if somebody may have read them.`,
        path,
      });
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/**
 * Headers with each `{env.NAME}` replaced by that variable.
 * @throws FsError EIO for a variable that is not set
 */
export function filledHeaders(
  headers: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      value.replace(/\{env\.([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, variable: string) => {
        const found = env[variable];
        if (found === undefined)
          throw new FsError('EIO', `The header ${name} needs the variable ${variable}, which is not set.`, {
            hint: 'Set it in "env" or "env_file" of the manifest, or in the environment of the node.',
          });
        return found;
      }),
    ]),
  );
}
