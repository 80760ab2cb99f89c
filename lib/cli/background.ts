import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FsError } from '../core/index.js';

const READY = 'ACHERON_TELL_READY';

/** What the process in the background tells the one that started it. */
interface Report {
  readonly lines?: readonly string[];
  readonly failure?: { readonly message: string; readonly hint?: string; readonly code: string };
}

/** True in a process that was started to run in the background, until it has told that it is ready. */
function isInBackground(): boolean {
  return process.env[READY] === '1' && process.send !== undefined && process.connected;
}

/**
 * Runs this very command again, detached, without `--background`, and prints what it says once it is
 * ready. Its log goes to `background.log` in the state directory.
 * @throws FsError what the other process failed with.
 */
async function goToBackground(stateDir: string): Promise<void> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const logFile = join(stateDir, 'background.log');
  const log = openSync(logFile, 'w', 0o600);
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [READY]: '1' },
  });
  closeSync(log);
  const report = await new Promise<Report>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Report));
    child.once('error', reject);
    child.once('exit', () => {
      const said = readFileSync(logFile, 'utf8').trim();
      resolve({
        failure: {
          code: 'EIO',
          message: 'It ended before it was ready.',
          hint: said === '' ? `Its log is ${logFile}.` : said,
        },
      });
    });
  });
  if (report.failure !== undefined) {
    const { code, message, hint } = report.failure;
    throw new FsError(FsError.from(Object.assign(new Error(message), { code })).code, message, { hint });
  }
  say(report.lines ?? []);
  child.disconnect();
  child.unref();
}

/** Runs `serve` in this process, or with `--background` in one of its own, and returns once that is ready. */
export async function inBackgroundOrHere(
  flags: { readonly background?: boolean; readonly stateDir: string },
  serve: () => Promise<void>,
): Promise<void> {
  if (flags.background === true && !isInBackground()) return goToBackground(flags.stateDir);
  try {
    await serve();
  } catch (thrown) {
    if (!tellFailure(thrown)) throw thrown;
    process.exitCode = 1;
  }
}

/** Says that it is ready: to the terminal, or to the process that waits in the foreground; later, to the log. */
export function tellReady(lines: readonly string[]): void {
  if (isInBackground()) {
    process.send!({ lines } satisfies Report);
    process.disconnect();
  } else say(lines);
}

/** Hands a failure to start to the process that waits; true when there is one. */
function tellFailure(thrown: unknown): boolean {
  if (!isInBackground()) return false;
  const { code, message, hint } = FsError.from(thrown);
  process.send!({ failure: { code, message, hint } } satisfies Report);
  return true;
}

/** A pipe that has heard enough (`| head -1`) is no reason to end: the mount is there all the same. */
function say(lines: readonly string[]): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
