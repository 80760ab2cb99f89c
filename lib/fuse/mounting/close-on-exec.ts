import { readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Log } from '../../core/index.js';

/**
 * Keeps this process's /dev/fuse descriptors out of the programs that it starts. libfuse 2 opens them
 * without O_CLOEXEC, and a driver that outlives the mount's server would hold the dead mount open: a program
 * that touches it hangs, where it should get ENOTCONN.
 */
export function closeFuseOnExec(log: Log): void {
  if (process.platform !== 'linux') return;
  const F_SETFD = 2;
  const FD_CLOEXEC = 1;
  try {
    const fcntl = loadFcntl();
    for (const fd of readdirSync('/proc/self/fd')) {
      if (targetOf(fd) !== '/dev/fuse') continue;
      if (fcntl(Number(fd), F_SETFD, FD_CLOEXEC) !== 0) throw new Error(`fcntl failed on descriptor ${fd}`);
    }
  } catch (cause) {
    log.warn('Programs started from here inherit /dev/fuse; a mount may hang after a crash.', { cause });
  }
}

function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // the descriptor that read the directory
  }
}

type Fcntl = (fd: number, command: number, argument: number) => number;

function loadFcntl(): Fcntl {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return koffi.load(null).func('int fcntl(int fd, int command, int argument)');
}
