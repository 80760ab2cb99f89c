import { FsError, isId } from '../core/index.js';
import { walk, type DirNode, type Op } from '../vfs/index.js';

/**
 * The directory of a service that a user names: a path, `node/service`, or the service alone, which the
 * first node that has it then serves.
 * @throws FsError ENOENT
 */
export async function findService(root: DirNode, name: string, op: Op): Promise<string> {
  if (name.includes('/')) {
    const [node, service, ...rest] = name.split('/');
    const path =
      rest.length === 0 && isId(node) && isId(service) ? `/nodes/${node}/services/${service}` : name;
    await walk(root, path, op);
    return path;
  }
  const nodes = await walk(root, '/nodes', op);
  for (const entry of nodes.kind === 'dir' ? await nodes.list(op) : []) {
    if (entry.kind !== 'dir') continue;
    const path = `/nodes/${entry.name}/services/${name}`;
    try {
      await walk(root, path, op);
      return path;
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
    }
  }
  throw new FsError('ENOENT', `There is no service ${JSON.stringify(name)}.`, {
    hint: 'acheron ls /nodes/<node>/services shows those there are.',
  });
}
