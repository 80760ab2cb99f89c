import { FsError, type Log } from '../core/index.js';
import { idsOfUser, type DriverContext, type Ids } from '../drivers/index.js';
import { DEFAULT_UID_RANGE, DynamicUsers, type UidRange } from './dynamic-users.js';

/** What stands for a user of its own for each service. */
export const DYNAMIC = 'dynamic';

/** Whom drivers and terminals of a node run as; null: the user of the node. */
export interface UserOptions {
  readonly driverUser: Ids | null;
  /** Each service runs as a user of its own, in place of one `driverUser`. */
  readonly dynamicDriverUsers?: boolean;
  /** By default a user of its own for each terminal where drivers do not run as the node, else the node's. */
  readonly terminalUser?: Ids | typeof DYNAMIC | null;
  /** Whom such users are taken of. */
  readonly uidRange?: UidRange;
}

/**
 * The users of drivers and of terminals, never the same unless somebody said so. Those that were made up
 * are remembered in `file`.
 * @throws FsError what `DynamicUsers` throws.
 */
export function usersFrom(
  options: UserOptions,
  file: string,
  nodeId: string,
): { drivers: DriverContext['driverUser']; terminals: DriverContext['driverUser'] } {
  const { driverUser, dynamicDriverUsers = false, uidRange = DEFAULT_UID_RANGE } = options;
  const areApart = driverUser !== null || dynamicDriverUsers;
  const { terminalUser = areApart ? DYNAMIC : null } = options;
  if (!dynamicDriverUsers && terminalUser !== DYNAMIC)
    return { drivers: driverUser, terminals: terminalUser };
  const users = new DynamicUsers(file, nodeId, uidRange);
  const dynamic: DriverContext['driverUser'] = (serviceId) => users.idsOf(serviceId);
  return {
    drivers: dynamicDriverUsers ? dynamic : driverUser,
    terminals: terminalUser === DYNAMIC ? dynamic : terminalUser,
  };
}

/**
 * The uid and gid of `--driver-user`.
 * @throws FsError EPERM when this process may not run others' processes, and what `idsOfUser` throws.
 */
export function driverUserFrom(text: string): Ids {
  mustBeRoot(text);
  return idsOfUser(text);
}

/** @throws FsError EPERM when this process may not run others' processes. */
export function mustBeRoot(text: string): void {
  if (process.getuid?.() !== 0) {
    throw new FsError('EPERM', `Only a node that runs as root can run drivers as ${text}.`, {
      hint: 'Leave --driver-user out, or start the node as root.',
    });
  }
}

/** Says what runs as root because nobody chose another user. */
export function warnAboutRoot(
  { drivers, terminals }: { drivers: unknown; terminals: unknown },
  hasTerminals: boolean,
  log: Log,
): void {
  if (process.getuid?.() !== 0) return;
  if (drivers === null)
    log.warn('Drivers run as root: name a user for them with --driver-user NAME, or "dynamic" for one each.');
  if (terminals === null && hasTerminals)
    log.warn('Terminals run as root: name a user for them with --terminal-user.');
}
