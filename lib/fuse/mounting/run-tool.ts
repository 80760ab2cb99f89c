import { runTool as run, type ToolResult as Result } from '../kernel/index.js';

export interface ToolResult extends Result {
  readonly missing: boolean;
}

/** Runs a small system program of PATH or of where those of the system are. Never rejects. */
export async function runTool(
  command: string,
  args: readonly string[],
  timeoutMs = 10_000,
): Promise<ToolResult> {
  const folders = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  const result = await run(command, args, { env: { PATH: folders.join(':') }, timeoutMs });
  return { ...result, missing: result.failure === 'ENOENT' };
}
