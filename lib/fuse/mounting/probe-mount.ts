import { runTool } from './run-tool.js';

/** What a mount of ours does when it is asked: `dead` where its server is gone. */
export type Pulse = 'answers' | 'dead' | 'silent';

/**
 * Asks the mount on `path`, for at most `timeoutMs`. statfs is never answered from a cache; it is another
 * process that asks, because this one may serve the mount.
 */
export async function probeMount(path: string, timeoutMs = 3000): Promise<Pulse> {
  const probe = await runTool('stat', ['-f', '-c', '%T', '--', path], timeoutMs);
  if (probe.timedOut) return 'silent';
  return /not connected/i.test(probe.stderr) ? 'dead' : 'answers';
}
