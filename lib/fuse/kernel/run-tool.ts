import { spawn } from 'node:child_process';
import { Worker, isMainThread } from 'node:worker_threads';

export interface ToolOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Inherited as descriptor 3. */
  readonly descriptor?: number;
  readonly timeoutMs?: number;
}

export interface ToolResult {
  /** Null where the tool was ended by a signal, ran out of time or is not there. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** Why it could not be started, an errno name. */
  readonly failure: string | null;
}

export interface ToolRequest {
  readonly id: number;
  readonly program: string;
  readonly args: readonly string[];
  readonly options: ToolOptions;
}

let thread: Worker | null = null;
let ids = 0;
let pending = 0;

/**
 * From now on tools are started by a thread of their own. What a thread gives up later (the right to gain
 * privileges by set-id programs) the threads that are there already keep, and fusermount3 needs it.
 */
export function keepSetIdTools(): void {
  if (thread !== null || !isMainThread) return;
  thread = new Worker(new URL('./run-tool-worker.js', import.meta.url), { execArgv: [] });
  thread.setMaxListeners(0);
  thread.once('exit', () => (thread = null));
  thread.unref();
}

/**
 * Runs a small system program, without a shell. Never rejects, and never waits longer than `timeoutMs`: a
 * program that is stuck in the kernel (a dead mount) is left to itself.
 */
export function runTool(program: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const worker = thread;
  if (worker === null) return runToolHere(program, args, options);
  return new Promise((resolve) => {
    const id = ids++;
    const finish = (result: ToolResult): void => {
      worker.off('message', onMessage).off('exit', onExit);
      if (--pending === 0) worker.unref();
      resolve(result);
    };
    const onMessage = (message: { id: number; result: ToolResult }): void => {
      if (message.id === id) finish(message.result);
    };
    const onExit = (): void => finish({ ...NOTHING, failure: 'EIO' });
    if (pending++ === 0) worker.ref();
    worker.on('message', onMessage).on('exit', onExit);
    worker.postMessage({ id, program, args, options } satisfies ToolRequest);
  });
}

const NOTHING: ToolResult = { status: null, stdout: '', stderr: '', timedOut: false, failure: null };

/**
 * The same, started by this thread. Node's own `spawn`, and not execa as elsewhere: this folder stands alone, a mount
 * is not to wait until a library is loaded, and what is stuck in the kernel must be left behind without waiting.
 */
export function runToolHere(
  program: string,
  args: readonly string[],
  { env, descriptor, timeoutMs }: ToolOptions,
): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      env: { ...env, LC_ALL: 'C' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const finish = (result: Partial<ToolResult>): void => {
      clearTimeout(timer);
      resolve({ ...NOTHING, stdout, stderr: stderr.trim(), ...result });
    };
    const giveUp = (): void => {
      child.kill('SIGKILL');
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      finish({ timedOut: true });
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(giveUp, timeoutMs);
    child.once('error', (error: NodeJS.ErrnoException) => finish({ failure: error.code ?? 'EIO' }));
    child.once('close', (status) => finish({ status }));
  });
}
