import { constants, accessSync, closeSync, openSync, readSync, statSync } from 'node:fs';
import { FsError, reasonOf } from '../../core/index.js';
import { placesOnPath } from '../../linux/index.js';

/**
 * The absolute path of a program: as it stands when it has a slash, else the first match on `path` (the
 * PATH that the driver gets).
 * @throws FsError EIO with the reason when there is no such program or it cannot be executed.
 */
export function resolveExecutable(name: string, path: string): string {
  if (name.includes('/')) {
    const problem = problemOf(name);
    if (problem === null) return name;
    throw new FsError('EIO', `The driver ${name} ${problem.what}.`, { hint: problem.hint });
  }
  const found = placesOnPath(name, path).find((file) => problemOf(file) === null);
  if (found !== undefined) return found;
  throw new FsError('EIO', `The driver ${JSON.stringify(name)} is not on PATH (${path}).`, {
    hint: 'Install it, or give "executable_path" with a slash.',
  });
}

function problemOf(file: string): { what: string; hint: string } | null {
  try {
    if (!statSync(file).isFile()) return { what: 'is not a file', hint: 'Name a program.' };
    accessSync(file, constants.X_OK);
    const interpreter = interpreterOf(file);
    if (interpreter === null || statSync(interpreter, { throwIfNoEntry: false })?.isFile() === true)
      return null;
    return {
      what: `names ${interpreter} in its first line, which does not exist`,
      hint: 'Install that program, or correct the first line (no carriage return at its end).',
    };
  } catch (thrown) {
    switch ((thrown as NodeJS.ErrnoException).code) {
      case 'ENOENT':
      case 'ENOTDIR':
        return {
          what: 'does not exist',
          hint: 'Put it there, or correct "executable_path" in the manifest.',
        };
      case 'EACCES':
        return { what: 'cannot be executed', hint: `Make it executable: chmod +x ${file}` };
      default:
        return { what: `cannot be used (${reasonOf(thrown)})`, hint: 'See to the file.' };
    }
  }
}

/** What the first line of a script asks to be run by; null for a program that needs none. */
function interpreterOf(file: string): string | null {
  return /^#![ \t]*(\/[^ \t\n\0]*)/.exec(startOf(file, 256))?.[1] ?? null;
}

/** The kernel may not know how to start it: neither a binary nor a script that says what runs it. */
export function isOfUnknownKind(file: string): boolean {
  const start = startOf(file, 4);
  return start !== '' && !/^(?:\x7fELF|#!)/.test(start);
}

/** The first bytes of a file; empty where it cannot be read, as it need not be to be executed. */
function startOf(file: string, length: number): string {
  const start = Buffer.alloc(length);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    return start.toString('latin1', 0, readSync(fd, start, 0, length, 0));
  } catch {
    return ''; // A folder.
  } finally {
    closeSync(fd);
  }
}

/** @throws FsError EIO when a driver could not be started in `cwd`. */
export function checkWorkingDirectory(cwd: string): void {
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new FsError('EIO', `The working directory of the driver, ${cwd}, does not exist.`, {
    hint: 'Make the directory, or correct "cwd" in the manifest.',
  });
}

/** Another text once a file was replaced or changed; empty when there is none. */
export function fingerprint(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
}

/** Why a program that looked right could not be started, as an error for its caller. */
export function startError(thrown: NodeJS.ErrnoException | null, file: string): FsError {
  const cause = thrown ?? undefined;
  switch (thrown?.code) {
    case 'E2BIG':
      return new FsError('E2BIG', 'The command line of the driver is longer than the system allows.', {
        cause,
        hint: 'Send shorter values, or fewer.',
      });
    case 'ENOEXEC':
      return new FsError('EIO', `The driver ${file} is not a program that this machine can execute.`, {
        cause,
        hint: 'Begin a script with a line such as #!/bin/sh.',
      });
    case 'EMFILE':
    case 'ENFILE':
      return new FsError('EIO', 'The node has too many files open to start another process.', {
        cause,
        hint: 'Call again when calls that run have ended. An admin raises the limit: LimitNOFILE= in its unit, or ulimit -n.',
      });
    case 'EAGAIN':
    case 'ENOMEM':
      return new FsError('EIO', `The machine has no room for another process (${thrown.code}).`, {
        cause,
        hint: 'Call again later, or lower "max_concurrency".',
      });
    default:
      return new FsError('EIO', `The driver ${file} cannot be started: ${thrown?.message ?? 'no reason given'}.`, { cause }); // prettier-ignore
  }
}

/** True when the failure is of the program itself, so that further calls will fail too. */
export function isLasting(thrown: NodeJS.ErrnoException | null): boolean {
  return !['E2BIG', 'EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].includes(thrown?.code ?? '');
}
