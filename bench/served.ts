import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { CannotRun } from './bench.js';

/** A filesystem that a child process serves. */
export interface Served {
  readonly dir: string;
  readonly pid: number;
  /** Asks the process to unmount and waits until it has gone. */
  stop(): Promise<void>;
}

/** A process of its own, which can be killed too. */
export interface ServedProcess extends Served {
  /** kill -9; answers when it has gone. */
  kill(): Promise<void>;
}

/**
 * Starts a process that serves `dir`, and waits for a line on its stdout that `ready` takes.
 * @throws CannotRun when it ends before that.
 */
export async function serve(
  dir: string,
  command: string,
  args: readonly string[],
  ready: (line: string) => boolean = (line) => line === 'ready',
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServedProcess> {
  await mkdir(dir, { recursive: true });
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let complaint = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-2000)));
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new CannotRun(`${command} ended (${code ?? signal}): ${complaint.trim()}`)),
    );
  });
  const lines = createInterface({ input: child.stdout });
  const seen = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (ready(line)) resolve();
    });
  });
  await Promise.race([seen, ended]);
  ended.catch(() => undefined);
  const { pid } = child;
  if (pid === undefined) throw new CannotRun(`${command} has no process.`);
  return { dir, pid, stop: () => end(child, 'SIGTERM'), kill: () => end(child, 'SIGKILL') };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
