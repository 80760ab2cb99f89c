import { FsError } from '../core/index.js';
import { namesOfPath, walk, type DirNode } from '../vfs/index.js';
import { stopIfAborted } from './give-up.js';
import { WRITE, writeAll } from '../worldfs/index.js';
import type { Tree } from './tree.js';

const NEW_MODE = 0o644;

/** Writes a file as a whole: one that is not there is made, one that is there loses what it had. */
export async function writeNew(
  tree: Tree,
  path: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const { dir, name } = await parentOf(tree, path, signal);
  const op = tree.op(signal);
  const flags = { ...WRITE, truncate: true };
  const handle = await openOrCreate();
  try {
    await writeAll(handle, bytes, op);
  } finally {
    await handle.release();
  }

  async function openOrCreate(): Promise<Awaited<ReturnType<DirNode['create']>>['handle']> {
    try {
      const node = await dir.lookup(name, op);
      if (node.kind === 'dir') throw new FsError('EISDIR', `${path} is a directory.`);
      if (node.kind === 'symlink')
        throw new FsError('ELOOP', `${path} is a link; nothing is written through it.`);
      return await node.open(flags, op);
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
      return (await dir.create(name, flags, NEW_MODE, op)).handle;
    }
  }
}

/** Removes a file, a link, or a directory. @throws FsError ENOENT, ENOTEMPTY, EPERM where nothing can be removed */
export async function removeNode(tree: Tree, path: string, signal?: AbortSignal): Promise<void> {
  const { dir, name } = await parentOf(tree, path, signal);
  const op = tree.op(signal);
  const node = await dir.lookup(name, op);
  if (node.kind === 'dir') await dir.rmdir(name, op);
  else await dir.unlink(name, op);
}

async function parentOf(
  tree: Tree,
  path: string,
  signal?: AbortSignal,
): Promise<{ dir: DirNode; name: string }> {
  stopIfAborted(signal);
  const names = namesOfPath(path);
  const name = names.pop();
  if (name === undefined) throw new FsError('EBUSY', 'The top of a tree stays as it is.');
  const dir = await walk(tree.root, names.join('/'), tree.op(signal));
  if (dir.kind !== 'dir') throw new FsError('ENOTDIR', `/${names.join('/')} is not a directory.`);
  return { dir, name };
}
