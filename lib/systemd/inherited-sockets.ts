import { FsError } from '../core/index.js';

const FIRST = 3;

/**
 * The one descriptor on which a service manager listens for this process (`LISTEN_FDS`), or null where there is none. The
 * variables are removed: what this process starts inherits nothing.
 * @throws FsError EINVAL for more than one
 */
export function inheritedSocket(env: NodeJS.ProcessEnv): number | null {
  const { LISTEN_PID, LISTEN_FDS } = env;
  if (LISTEN_FDS === undefined || Number(LISTEN_PID) !== process.pid) return null;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) Reflect.deleteProperty(env, name);
  const count = Number(LISTEN_FDS);
  if (count === 1) return FIRST;
  if (count === 0) return null;
  throw new FsError('EINVAL', `The service manager handed over ${LISTEN_FDS} sockets; it can be one.`, {
    hint: 'Leave one ListenStream= in the .socket unit. A port alone listens on IPv4 and IPv6.',
  });
}
