import { FsError } from '../core/index.js';
import { walk, type DirNode, type Op } from '../vfs/index.js';

/**
 * The directory of a job that a user names: its path, or its id, which is looked for in all services.
 * @throws FsError ENOENT
 */
export async function findJob(root: DirNode, name: string, op: Op): Promise<string> {
  if (name.includes('/')) {
    await walk(root, name, op);
    return name;
  }
  for (const node of await namesIn(root, '/nodes', op))
    for (const service of await namesIn(root, `/nodes/${node}/services`, op)) {
      const path = `/nodes/${node}/services/${service}/jobs/${name}`;
      if (await isThere(root, path, op)) return path;
    }
  throw new FsError('ENOENT', `There is no job ${JSON.stringify(name)} that you may see.`, {
    hint: "jobs/ of a service shows those that are kept; a job with a key is also at the service's jobs/by-key/KEY.",
  });
}

async function namesIn(root: DirNode, path: string, op: Op): Promise<string[]> {
  const node = await walk(root, path, op);
  const entries = node.kind === 'dir' ? await node.list(op) : [];
  return entries.filter(({ kind }) => kind === 'dir').map(({ name }) => name);
}

/** False also where the node that knows is away. */
async function isThere(root: DirNode, path: string, op: Op): Promise<boolean> {
  try {
    await walk(root, path, op);
    return true;
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'EHOSTDOWN') return false;
    throw thrown;
  }
}
