import { FsError } from '../../core/index.js';
import type { RuntimeLimits } from '../../manifest/index.js';
import { resolveExecutable } from './executable.js';

/**
 * The command line that puts the kernel's limits on a program and then becomes it: util-linux `prlimit`,
 * which keeps the pid. Memory is limited as RLIMIT_DATA: what a program can write to, and not the address
 * space that Node, Go and Java merely reserve. Empty when nothing is limited.
 * @throws FsError EIO when a limit is asked for and there is no `prlimit`.
 */
export function limitPrefix(limits: RuntimeLimits, path: string): readonly string[] {
  const options = [
    ...(limits.memoryBytes === null ? [] : [`--data=${limits.memoryBytes}`]),
    ...(limits.cpuSeconds === null ? [] : [cpuOption(limits.cpuSeconds)]),
    ...(limits.openFiles === null ? [] : [`--nofile=${limits.openFiles}`]),
  ];
  if (options.length === 0) return [];
  try {
    return [resolveExecutable('prlimit', path), ...options, '--'];
  } catch (cause) {
    throw new FsError('EIO', 'The manifest limits the driver, but this machine has no prlimit.', {
      cause,
      hint: 'Install util-linux, or take memory_bytes, cpu_seconds and open_files out of the manifest.',
    });
  }
}

/** SIGXCPU at the limit, which says what happened; SIGKILL a second later for a program that ignores it. */
function cpuOption(limit: number): string {
  const seconds = Math.max(1, Math.ceil(limit));
  return `--cpu=${seconds}:${seconds + 1}`;
}
