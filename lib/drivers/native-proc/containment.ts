import { readdirSync } from 'node:fs';
import { FsError, type Log } from '../../core/index.js';
import { resolveExecutable } from './executable.js';
import { loadLibc } from './libc.js';
import { strays } from './strays.js';

/**
 * How programs are kept from gaining privileges by set-id files: `process`, by a rule on this process
 * itself, which all that it starts inherits and which costs nothing; `wrapper`, where this process still
 * needs set-id programs for itself: each driver by its starter, or through setpriv(1); `allowed`, not at all.
 */
export type NewPrivileges = 'process' | 'wrapper' | 'allowed';

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_NO_NEW_PRIVS = 38;
const FIRST_AFTER_STDIO = 3;

let prefix: readonly string[] = [];

/**
 * Sets what holds for every program that drivers, probes and terminals start from now on: none gains
 * privileges, none inherits a descriptor that it was not given, and what leaves its process group is
 * still found when its call ends. For the main thread, which starts them.
 * @throws FsError EIO where privileges cannot be denied in any way.
 */
export function containDrivers(newPrivileges: NewPrivileges, log: Log): void {
  if (process.platform !== 'linux') return;
  const libc = loadLibc();
  if (newPrivileges === 'process' && libc?.prctl(PR_SET_NO_NEW_PRIVS) === true) prefix = [];
  else prefix = newPrivileges === 'allowed' ? [] : wrapper();
  sealInherited();
  if (libc?.prctl(PR_SET_CHILD_SUBREAPER) === true) strays.watch(libc, log);
}

/** Each driver has to be kept from them, as this process is not. */
export function deniesNewPrivileges(): boolean {
  return prefix.length > 0;
}

/** What comes before the command line of a driver where its starter cannot deny them. */
export function privilegePrefix(): readonly string[] {
  return prefix;
}

/** Nothing but what `stdio` names reaches the next program, however it was opened. */
export function sealDescriptors(): void {
  loadLibc()?.sealFrom(FIRST_AFTER_STDIO);
}

function sealInherited(): void {
  const libc = loadLibc();
  if (libc === null || libc.sealFrom(FIRST_AFTER_STDIO)) return;
  for (const name of readdirSync('/proc/self/fd'))
    if (Number(name) >= FIRST_AFTER_STDIO) libc.setCloseOnExec(Number(name));
}

function wrapper(): readonly string[] {
  try {
    return [resolveExecutable('setpriv', process.env['PATH'] ?? '/usr/bin:/bin'), '--no-new-privs', '--'];
  } catch (cause) {
    throw new FsError('EIO', 'Drivers cannot be kept from gaining privileges on this machine.', {
      cause,
      hint: 'Install util-linux (setpriv), or pass --allow-new-privileges.',
    });
  }
}
