import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { findMount, type MountEntry } from './mountinfo.js';

/**
 * Cuts a mount off its server: pending calls get ECONNABORTED, later ones ENOTCONN.
 * Does nothing where this process may not.
 */
export function abortConnection(entry: MountEntry): void {
  const found = findMount(entry);
  if (found === undefined) return;
  const { device, mountPoint } = found;
  const minor = device.slice(device.indexOf(':') + 1);
  try {
    writeFileSync(`/sys/fs/fuse/connections/${minor}/abort`, '1');
  } catch {
    // Without fusectl, a forced unmount aborts the connection as well. At exit nothing can be loaded any more,
    // so Node's own call it is, and not execa's.
    spawnSync('umount', ['-f', '--no-canonicalize', mountPoint], { stdio: 'ignore', timeout: 5000 });
  }
}

const atExit = new Set<MountEntry>();

/**
 * Aborts the connection when this process exits, unless the function that is returned was called
 * before. A process that ends goes through the kernel thread by thread, and one of its threads may be notifying
 * the kernel of a change to a directory whose lock is held by a caller that waits for this very process: neither
 * would ever end.
 */
export function abortAtExit(entry: MountEntry): () => void {
  if (atExit.size === 0) process.on('exit', abortAll);
  atExit.add(entry);
  return () => {
    atExit.delete(entry);
    if (atExit.size === 0) process.off('exit', abortAll);
  };
}

function abortAll(): void {
  for (const entry of atExit) abortConnection(entry);
}
