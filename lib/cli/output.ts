import { FsError, reasonOf } from '../core/index.js';
import { writeError } from './write-out.js';

/** As a shell has it of a program that a closed pipe ended. */
const SIGPIPE_STATUS = 141;

let goesOn = false;
let isReported = false;

/** For what is not done with when nobody reads: servers, and calls whose outcome is the exit status. */
export function goOnWithoutOutput(): void {
  goesOn = true;
}

/**
 * A command whose output cannot be written ends at once: silently where the reader has seen enough
 * (`acheron ls | head -1`), else with a sentence.
 */
export function watchOutput(): void {
  process.stdout.on('error', (thrown) => {
    const { code } = FsError.from(thrown);
    if (code !== 'EPIPE' && !isReported)
      writeError(`acheron: The output cannot be written: ${reasonOf(thrown)}. (${code})\n`);
    isReported = true;
    if (!goesOn) process.exit(code === 'EPIPE' ? SIGPIPE_STATUS : 1);
  });
  process.stderr.on('error', () => undefined);
}
