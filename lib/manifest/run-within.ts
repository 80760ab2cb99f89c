import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { createContext, Script, type Context } from 'node:vm';
import { FsError } from '../core/index.js';

/** Thrown when `runWithin` had to stop the work. */
export class TookTooLongError extends Error {
  constructor(timeoutMs: number) {
    super(`It took longer than ${timeoutMs} ms.`);
    this.name = 'TookTooLongError';
  }
}

const script = new Script('work()');
let context: (Context & { work?: () => unknown }) | undefined;

/**
 * Runs synchronous work and stops it, wherever it is (a regular expression included), after `timeoutMs`.
 * Costs about a tenth of a millisecond.
 * @throws TookTooLongError; FsError EBUSY while too many files are open; or what the work throws.
 */
export function runWithin<Result>(timeoutMs: number, work: () => Result): Result {
  requireDescriptors();
  context ??= createContext({});
  const outer = context.work;
  context.work = work;
  try {
    return script.runInContext(context, { timeout: timeoutMs }) as Result;
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TookTooLongError(timeoutMs);
    throw thrown;
  } finally {
    context.work = outer;
  }
}

/** Node's watch on the time opens four; where it finds none, it ends the process. */
const DESCRIPTORS = 5;

function requireDescriptors(): void {
  const open: number[] = [];
  try {
    while (open.length < DESCRIPTORS) open.push(openSync(devNull, 'r'));
  } catch (thrown) {
    throw new FsError('EBUSY', 'The node has as many files open as it may, and no room for another call.', {
      hint: 'Try again when calls that run have ended. An admin raises the limit: LimitNOFILE= in its unit, or ulimit -n.',
      cause: thrown,
    });
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
