import { RemoteTree, type TreeAddress } from '../compose/index.js';
import { localSession } from '../policy/index.js';
import { Client } from './client.js';

/**
 * Connects to a control plane as the bearer of a token; the connection comes back by itself.
 * @throws FsError EACCES for a token that is not good, ENOENT for the project, EHOSTDOWN
 */
export async function connect(address: TreeAddress): Promise<Client> {
  const tree = new RemoteTree(address);
  try {
    await tree.start();
  } catch (thrown) {
    await tree.close();
    throw thrown;
  }
  // The far side knows the session by the token, whatever is said here.
  return new Client(tree.vfs, localSession('user', null, 'client'), () => tree.close());
}
