import pc from 'picocolors';
import { FsError } from '../core/index.js';
import { forError, writeError } from './write-out.js';

/** How commands end: 0 it worked, 1 it did not, 2 it was called wrongly. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Says on standard error what happened and what to do; a bug shows its stack. */
export function reportFailure(thrown: unknown): void {
  if (!FsError.is(thrown) && isBug(thrown)) {
    writeError(`acheron: this is a bug in Acheron, please report it:\n${(thrown as Error).stack}\n`);
    return;
  }
  const error = FsError.from(thrown);
  const { red, dim } = pc.createColors(pc.isColorSupported && process.stderr.isTTY);
  process.stderr.write(`${red('acheron:')} ${forError(error.message)} ${dim(`(${error.code})`)}\n`);
  if (error.hint !== undefined) writeError(`${error.hint}\n`);
}

function isBug(thrown: unknown): boolean {
  return thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError;
}
