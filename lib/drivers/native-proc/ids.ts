import { FsError, type ServiceId } from '../../core/index.js';
import { idsOfUser } from './passwd.js';

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Whom processes run as when the node runs as root, which may depend on the service; null: as the node itself. */
export type DriverUser = Ids | ((serviceId: ServiceId) => Ids) | null;

/**
 * Whom the programs of a service run as: the manifest's `user`, else the node's `--driver-user`; null
 * where the node's own user is meant.
 * @throws FsError when the user is unknown, or the node may not become it.
 */
export function idsForService(serviceId: ServiceId, user: string | null, driverUser: DriverUser): Ids | null {
  const isRoot = process.getuid?.() === 0;
  if (user === null) {
    if (!isRoot) return null;
    return typeof driverUser === 'function' ? driverUser(serviceId) : driverUser;
  }
  const ids = idsOfUser(user);
  if (ids.uid === process.getuid?.() && !isRoot) return null;
  if (isRoot) return ids;
  throw new FsError('EIO', `The driver is to run as ${user}, which only a node that runs as root can do.`, {
    hint: 'Run the node as root, or take "user" out of the manifest.',
  });
}
