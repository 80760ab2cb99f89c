import { closeSync, createWriteStream, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateDir } from '../disk/index.js';
import { FsError } from '../core/index.js';
import { LOG_FILE, ownLogFile } from './background-log.js';
import { goOnWithoutOutput } from './output.js';
import { serviceManager } from './told-manager.js';
import { isStoppedEarly } from './stop-asked.js';
import { writeOut } from './write-out.js';

/** What the process in the background reports to the one that started it. */
interface Report {
  readonly lines?: readonly string[];
  readonly failure?: { readonly message: string; readonly hint?: string; readonly code: string };
}

export interface BackgroundFlags {
  readonly background?: boolean;
  readonly stateDir: string;
}

/** Reports to the process that started this one to run in the background; null where none waits for that. */
function reporter(): ((report: Report) => void) | null {
  const send = process.send?.bind(process);
  if (process.env[LOG_FILE] === undefined || send === undefined || !process.connected) return null;
  return (report) => {
    send(report, () => {
      // The channel would keep this process alive, and is of no use after the one report.
      if (process.connected) process.disconnect();
    });
  };
}

/**
 * Runs this very command again, detached, without `--background`, and prints what it says once it is
 * ready. Its log is appended to `logs/<name>.log` in the state directory.
 * @throws FsError what the other process failed with.
 */
async function goToBackground(stateDir: string, name: string): Promise<void> {
  const dir = join(stateDir, 'logs');
  makePrivateDir(stateDir, (file) => file === 'logs');
  makePrivateDir(dir);
  const logFile = join(dir, `${name}.log`);
  const log = openSync(logFile, 'a+', 0o600);
  try {
    const { lines = [], failure } = await startApart(log, logFile);
    if (failure === undefined) {
      say(lines);
      return;
    }
    const { code, message, hint } = failure;
    throw new FsError(FsError.from(Object.assign(new Error(message), { code })).code, message, { hint });
  } finally {
    closeSync(log);
  }
}

async function startApart(log: number, logFile: string): Promise<Report> {
  const { execa } = await import('execa');
  const begun = fstatSync(log).size;
  const file = createWriteStream(logFile, { fd: log, autoClose: false });
  const child = execa(process.execPath, process.argv.slice(1), {
    detached: true,
    cleanup: false,
    stdin: 'ignore',
    stdout: file,
    stderr: file,
    ipc: true,
    buffer: false,
    reject: false,
    env: { [LOG_FILE]: logFile },
  });
  // A caller that gives up waiting does not want it later either.
  const passOn = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  try {
    return (await child.getOneMessage({ reference: false })) as unknown as Report;
  } catch {
    await child;
    const said = textFrom(log, begun).trim();
    const hint = said === '' ? `Its log is ${logFile}.` : said;
    return { failure: { code: 'EIO', message: 'It ended before it was ready.', hint } };
  } finally {
    process.off('SIGINT', passOn).off('SIGTERM', passOn);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** What the file got since it had `from` bytes. */
function textFrom(file: number, from: number): string {
  const bytes = Buffer.alloc(Math.min(Math.max(0, fstatSync(file).size - from), 64 * 1024));
  return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, from));
}

/**
 * Runs `serve` in this process, or with `--background` in one of its own, and returns once that is ready.
 * `name` distinguishes the daemons of one state directory.
 */
export async function inBackgroundOrHere(
  flags: BackgroundFlags,
  name: string,
  serve: () => Promise<void>,
): Promise<void> {
  goOnWithoutOutput();
  if (flags.background === true && ownLogFile() === null) return goToBackground(flags.stateDir, name);
  try {
    await serve();
  } catch (thrown) {
    if (reportFailure(thrown)) process.exitCode = 1;
    else if (!isStoppedEarly(thrown)) throw thrown;
  }
}

/** Says that it is ready: to the terminal, or to the process that waits in the foreground; later, to the log. A service manager is told as well. */
export function reportReady(lines: readonly string[]): void {
  serviceManager()?.ready(lines[0] ?? '');
  const report = reporter();
  if (report === null) say(lines);
  else report({ lines });
}

/** Hands a failure to start to the process that waits; true when there is one. */
function reportFailure(thrown: unknown): boolean {
  const report = reporter();
  if (report === null) return false;
  const { code, message, hint } = FsError.from(thrown);
  report({ failure: { code, message, hint } });
  return true;
}

function say(lines: readonly string[]): void {
  void writeOut(lines.map((line) => `${line}\n`).join(''));
}
