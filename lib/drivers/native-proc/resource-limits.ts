import { FsError } from '../../core/index.js';
import type { RuntimeLimits } from '../../manifest/index.js';
import { resolveExecutable } from './executable.js';

/** A limit of the kernel on one process: see getrlimit(2). */
export interface KernelLimit {
  /** For messages. */
  readonly on: string;
  /** The kernel's number, which x86 and Arm share. */
  readonly resource: number;
  /** What prlimit(1) calls it. */
  readonly option: string;
  readonly soft: number;
  readonly hard: number;
}

const RLIMIT_CPU = 0;
const RLIMIT_DATA = 2;
const RLIMIT_NOFILE = 7;

/**
 * What the kernel holds the programs of a service to. Memory is limited as RLIMIT_DATA: what a program can write to,
 * and not the address space that Node, Go and Java merely reserve. Of processor time, SIGXCPU comes at the
 * limit, which says what happened, and SIGKILL a second later for a program that ignores it.
 */
export function kernelLimits({ memoryBytes, cpuSeconds, openFiles }: RuntimeLimits): readonly KernelLimit[] {
  const limits: KernelLimit[] = [];
  const limit = (on: string, resource: number, option: string, soft: number, hard = soft): void =>
    void limits.push({ on, resource, option, soft, hard });
  if (memoryBytes !== null) limit('memory', RLIMIT_DATA, 'data', memoryBytes);
  if (cpuSeconds !== null) {
    const seconds = Math.max(1, Math.ceil(cpuSeconds));
    limit('processor time', RLIMIT_CPU, 'cpu', seconds, seconds + 1);
  }
  if (openFiles !== null) limit('open files', RLIMIT_NOFILE, 'nofile', openFiles);
  return limits;
}

/**
 * The command line that puts the limits on a program and then becomes it, where nothing better can be had:
 * util-linux `prlimit`, which keeps the pid. Empty when nothing is limited.
 * @throws FsError EIO when there is no `prlimit`.
 */
export function limitPrefix(limits: readonly KernelLimit[]): readonly string[] {
  if (limits.length === 0) return [];
  try {
    return [
      // Ours, whatever PATH the manifest sets.
      resolveExecutable('prlimit', process.env['PATH'] ?? '/usr/bin:/bin'),
      ...limits.map(({ option, soft, hard }) => `--${option}=${soft}:${hard}`),
      '--',
    ];
  } catch (cause) {
    throw new FsError('EIO', 'The manifest limits the driver, but this machine has no prlimit.', {
      cause,
      hint: 'Install util-linux, or take memory_bytes, cpu_seconds and open_files out of the manifest.',
    });
  }
}
