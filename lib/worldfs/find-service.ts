import { FsError, isId, nearest } from '../core/index.js';
import { walk, type DirNode, type Op } from '../vfs/index.js';
import { findNode } from './find-node.js';

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
    await findNode(root, path, op);
    return path;
  }
  const nodes = await walk(root, '/nodes', op);
  const looked: string[] = [];
  for (const entry of nodes.kind === 'dir' ? await nodes.list(op) : []) {
    if (entry.kind !== 'dir') continue;
    const dir = `/nodes/${entry.name}/services`;
    try {
      await walk(root, `${dir}/${name}`, op);
      return `${dir}/${name}`;
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
    }
    looked.push(dir);
  }
  const near = nearest(name, await namesIn(root, looked, op));
  throw new FsError('ENOENT', `There is no service ${JSON.stringify(name)}.`, {
    hint:
      near === undefined
        ? 'acheron ls /nodes/<node>/services shows those there are.'
        : `Did you mean ${near}?`,
  });
}

async function namesIn(root: DirNode, dirs: readonly string[], op: Op): Promise<Set<string>> {
  const names = new Set<string>();
  for (const path of dirs) {
    const dir = await walk(root, path, op);
    for (const { name } of dir.kind === 'dir' ? await dir.list(op) : []) names.add(name);
  }
  return names;
}
