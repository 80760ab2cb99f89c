import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Test } from 'tap';

export type Shell = 'sh' | 'bash' | 'dash' | 'zsh';

/** How each shell is started so that it reads no file of the user who runs the tests. */
const START: Readonly<Record<Shell, readonly string[]>> = {
  sh: ['sh', '-c'],
  bash: ['bash', '--norc', '--noprofile', '-c'],
  dash: ['dash', '-c'],
  zsh: ['zsh', '-f', '-c'],
};

export const SHELLS = Object.keys(START) as readonly Shell[];

/** Why a test that needs this program is skipped; false where it can run. */
export function lacks(program: string): string | false {
  const isHere = (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return isHere ? false : `there is no ${program}`;
}

export interface ShellOptions {
  /** Where the script runs: as a rule the mount. */
  readonly cwd: string;
  /** Besides PATH, HOME, LC_ALL and TZ. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Called with the pid of the shell, which leads a process group of its own. */
  readonly onStart?: (pid: number) => void;
}

export interface ShellResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Null where a signal ended the shell. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

const TIMEOUT_MS = 60_000;
const LAST_WORDS_MS = 250;

/**
 * Runs a script and returns all about it. The shell leads a process group; when it has ended, or the time is
 * up, what is left of the group is killed. Never waits for a process that hangs in the kernel.
 */
export function runShell(shell: Shell, script: string, options: ShellOptions): Promise<ShellResult> {
  const [program, ...args] = START[shell];
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program!, [...args, script], {
      cwd: options.cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: '/nonexistent', LC_ALL: 'C.UTF-8', TZ: 'UTC', ...options.env },
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined); // scripts need not read
    child.stdin.end(options.stdin ?? '');

    let timedOut = false;
    let lastWords: NodeJS.Timeout | undefined;
    const killGroup = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // the group is gone
      }
    };
    const finish = (): void => {
      clearTimeout(timer);
      clearTimeout(lastWords);
      killGroup();
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        status: child.exitCode,
        signal: child.signalCode,
        timedOut,
        durationMs: performance.now() - started,
      });
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
      lastWords = setTimeout(finish, LAST_WORDS_MS);
    }, options.timeoutMs ?? TIMEOUT_MS);
    child.once('spawn', () => options.onStart?.(child.pid!));
    child.once('error', reject);
    // Background jobs may hold the pipes open for longer than the shell lives.
    child.once('exit', () => (lastWords ??= setTimeout(finish, LAST_WORDS_MS)));
    child.once('close', finish);
  });
}

/** Runs `body` as a subtest for each shell, with that shell in hand. */
export function eachShell(
  t: Test,
  title: string,
  cwd: string | (() => string),
  body: (
    t: Test,
    run: (script: string, options?: Partial<ShellOptions>) => Promise<ShellResult>,
    shell: Shell,
  ) => Promise<void>,
): void {
  for (const shell of SHELLS)
    t.test(`${shell}: ${title}`, { skip: lacks(shell) }, (t) =>
      body(
        t,
        (script, options) =>
          runShell(shell, script, { cwd: typeof cwd === 'string' ? cwd : cwd(), ...options }),
        shell,
      ),
    );
}
