import { spawn } from 'node:child_process';

export interface ToolResult {
  /** Null where the tool was ended by a signal, ran out of time or is not there. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly missing: boolean;
}

/**
 * Runs a small system program, without a shell. Never rejects, and never waits longer than `timeoutMs`: a
 * program that is stuck in the kernel (a dead mount) is left to itself.
 */
export function runTool(command: string, args: readonly string[], timeoutMs = 10_000): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        LC_ALL: 'C',
        PATH: [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].join(':'),
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const finish = (status: number | null, timedOut: boolean, missing: boolean): void => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr: stderr.trim(), timedOut, missing });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
      finish(null, true, false);
    }, timeoutMs);
    child.once('error', (error: NodeJS.ErrnoException) => finish(null, false, error.code === 'ENOENT'));
    child.once('close', (status) => finish(status, false, false));
  });
}
