import { FsError, nearest } from '../core/index.js';
import { namesOfPath, type DirNode, type Node, type Op } from '../vfs/index.js';

/**
 * As `walk`, for people: where a name is missing on the way, the error says where, and which may have been meant.
 * @throws FsError ENOENT, or ENOTDIR where a file stands in the way
 */
export async function findNode(root: DirNode, path: string, op: Op): Promise<Node> {
  let node: Node = root;
  let here = '';
  for (const name of namesOfPath(path)) {
    const dir: Node = node;
    if (dir.kind !== 'dir') throw new FsError('ENOTDIR', `${here} is not a directory.`);
    try {
      node = await dir.lookup(name, op);
    } catch (thrown) {
      throw FsError.from(thrown).code === 'ENOENT' ? await missing(dir, here, name, op) : thrown;
    }
    here += `/${name}`;
  }
  return node;
}

async function missing(dir: DirNode, here: string, name: string, op: Op): Promise<FsError> {
  const near = nearest(name, await namesIn(dir, op));
  return new FsError('ENOENT', `There is no ${JSON.stringify(name)} in ${here === '' ? '/' : here}.`, {
    hint:
      near === undefined
        ? `acheron ls ${here === '' ? '/' : here} shows what there is.`
        : `Did you mean ${near}?`,
  });
}

/** Of what cannot be listed, nothing is named. */
async function namesIn(dir: DirNode, op: Op): Promise<string[]> {
  try {
    return [...(await dir.list(op))].map(({ name }) => name);
  } catch {
    return [];
  }
}
