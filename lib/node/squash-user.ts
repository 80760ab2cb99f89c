import { FsError } from '../core/index.js';
import { idsOfUser } from '../drivers/index.js';
import type { Identity } from '../providers/index.js';
import { identityOf } from './identity-of.js';

type Ids = Pick<Identity, 'uid' | 'gid'>;

/** The user that stands for nobody, where /etc/passwd names none. */
const NOBODY: Ids = { uid: 65_534, gid: 65_534 };

/**
 * Whom remote callers of the export `name` act as: the user `as`, else `--driver-user`, else nobody. Null: as this
 * process, which is not root, or which shall be root for them by `as`.
 * @throws FsError EPERM where they would be root and nobody said so, or another user that this process cannot be;
 * what `idsOfUser` throws
 */
export function squashUserFor(name: string, as: string | null, driverUser: Ids | null): Identity | null {
  const own = process.geteuid?.();
  const asked = as === null ? null : { user: as, ids: idsOfUser(as) };
  if (own !== 0) {
    if (asked === null || asked.ids.uid === own) return null;
    throw new FsError(
      'EPERM',
      `The export ${JSON.stringify(name)} cannot act as ${asked.user}: this node is not root.`,
      {
        hint: 'Leave out :as=, or start the node as root.',
      },
    );
  }
  if (asked?.ids.uid === 0) return null;
  const user = asked?.ids ?? driverUser ?? nobody();
  if (user.uid !== 0) return identityOf(user);
  throw new FsError(
    'EPERM',
    `Remote callers of the export ${JSON.stringify(name)} would act as root, as --driver-user is root.`,
    { hint: `Give it a user (--export ${name}=PATH:as=USER), or say :as=root if that is meant.` },
  );
}

function nobody(): Ids {
  try {
    return idsOfUser('nobody');
  } catch {
    // A small image may have no such entry.
    return NOBODY;
  }
}
