import { FsError } from '../../core/index.js';
import type { Outcome } from '../contract.js';
import { errorFromAbort, failure, outcomeFromOutput, timedOut, tooMuchOutput } from '../outcome.js';
import type { RunEnd, RunOptions } from './call-process.js';

/** `TypeError: …`, at the start of a line: Node prints the stack behind it. */
const THROWN = /^(?:Uncaught )?(?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?: \S/;
const TRACE_LINES = 40;

/** What the end of a process means for the call it ran. */
export function outcomeFromRun(end: RunEnd, options: RunOptions, output: 'json' | 'text'): Outcome {
  switch (end.how) {
    case 'timeout':
      return failure(timedOut(options.limitMs), end.exitCode);
    case 'cancelled':
      return failure(errorFromAbort(options.signal), end.exitCode);
    case 'too-much-output':
      return failure(tooMuchOutput(options.maxOutputBytes), end.exitCode);
    case 'failed':
      return failure(FsError.from(end.error), null);
    case 'exited':
      return end.exitCode === 0
        ? outcomeFromOutput(end.stdout, output, 0)
        : failure(exitError(end.exitCode, end.killedBy, end.stderrTail), end.exitCode);
  }
}

/** An exit that was not success, with what the driver last said about it. */
export function exitError(code: number | null, killedBy: string | null, stderrTail: string): FsError {
  const what =
    code === null
      ? `The driver was killed by ${killedBy ?? 'a signal'}`
      : `The driver exited with status ${code}`;
  const said = lastLines(stderrTail);
  return new FsError('EIO', said === '' ? `${what} and said nothing on stderr.` : `${what}: ${said}`, {
    hint:
      killedBy === 'SIGXCPU' || killedBy === 'SIGKILL'
        ? 'It may have reached a limit of its manifest (cpu_seconds, memory_bytes) or of the machine.'
        : 'All that it said is in stderr of the job.',
  });
}

/** What it said last, or, where an interpreter ended with a trace of its stack, what it says went wrong. */
function lastLines(text: string): string {
  const lines = text.trim().split('\n');
  const last = lines.slice(-3);
  const thrown = lines.slice(-TRACE_LINES).findLast((line) => THROWN.test(line));
  return (thrown === undefined || last.includes(thrown) ? last.join('\n') : thrown).slice(-500);
}
