import {
  Client,
  openLocalTree,
  openMountedTree,
  openPlaneTree,
  type LocalAddress,
  type MountAddress,
} from '../client/index.js';
import type { Log } from '../core/index.js';
import { defaultStateDir } from '../disk/index.js';

export type { LocalAddress, MountAddress } from '../client/index.js';
/** A control plane, and as whom. */
export interface PlaneAddress {
  /**
   * `ws://` or `wss://`, without a path. Of several control planes that do the same, all of them: one that does not answer, or is
   * lost, is left for another.
   */
  readonly url: string | readonly string[];
  readonly token: string;
  /** Certificates to trust, PEM, beside those of the system. */
  readonly ca?: string | undefined;
  /** The project to attach to, with its token where it has one. */
  readonly project?: { readonly id: string; readonly token: string | null } | undefined;
  readonly log?: Log;
}

/**
 * Connects to a control plane as the bearer of a token (the connection comes back by itself, to another address where there are several), to the node that runs with
 * a state directory on this machine, or to where a tree is mounted. Without an address it is the node of this
 * machine, at the place where the commands look for it too.
 * @throws FsError EACCES for a token that is not good, ENOENT for the project, EHOSTDOWN where nothing runs,
 *   EINVAL where nothing is mounted
 */
export async function connect(
  address: PlaneAddress | LocalAddress | MountAddress = { stateDir: defaultStateDir() },
): Promise<Client> {
  if ('mount' in address) return new Client(await openMountedTree(address));
  if ('stateDir' in address) return new Client(await openLocalTree(address));
  const { url } = address;
  return new Client(await openPlaneTree({ ...address, url: typeof url === 'string' ? url : url.join(',') }));
}
