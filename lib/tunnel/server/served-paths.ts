import { FsError } from '../../core/index.js';
import {
  MAX_READ_BYTES,
  mountGraph,
  mountGraphNode,
  type MountGraphNode,
  type MountName,
  type MountReply,
  type MountRequest,
} from '../../protocol/index.js';
import { namesOfPath, walk, type DirNode, type FileHandle, type Node, type Op } from '../../vfs/index.js';

/** Symlinks on one way. */
const MAX_LINKS = 8;
/** How far down one answer goes, and of how many nodes it tells. */
const MAX_DEPTH = 2;
const MAX_NODES = 8192;

/** What the names lead to; links are followed, a last one only where that is wanted. */
export async function findNode(
  root: DirNode,
  names: readonly string[],
  op: Op,
  followsLast = true,
): Promise<Node> {
  let at: string[] = [];
  let node: Node = root;
  const left = [...names];
  for (let links = 0; ;) {
    const name = left.shift();
    if (name === undefined) return node;
    node = await walk(root, [...at, name].join('/'), op);
    if (node.kind !== 'symlink' || (left.length === 0 && !followsLast)) {
      at = [...at, name];
      continue;
    }
    if (++links > MAX_LINKS) throw new FsError('ELOOP', 'Too many links lead on from there.');
    const target = await node.readlink(op);
    left.unshift(...namesOfPath(target.startsWith('/') ? target : [...at, target].join('/')));
    at = [];
    node = root;
  }
}

type Handlers = {
  readonly [Name in MountName]: (
    root: DirNode,
    request: MountRequest<Name>,
    op: Op,
  ) => Promise<MountReply<Name>>;
};

/** What each request does that names a path. */
export const PATH_HANDLERS: Handlers = {
  async mount_attach(root, { path = '/', depth = 1 }, op) {
    const names = namesOfPath(path);
    const nodes: MountGraphNode[] = [];
    for (let n = 0; n < names.length; n++) nodes.push(await told(root, names.slice(0, n), op));
    await below(root, names, Math.min(depth, MAX_DEPTH), nodes, op);
    return mountGraph(op.session.id, nodes);
  },

  async mount_file_read(root, { path, offset = 0, length = MAX_READ_BYTES }, op) {
    const most = Math.min(length, MAX_READ_BYTES);
    const handle = await (await fileAt(root, path, op)).open(flagsFor('r'), op);
    return released(handle, async () => {
      const bytes = await handle.read(offset, most, op);
      const data_b64 = Buffer.from(bytes).toString('base64');
      return { path, offset, n: bytes.length, eof: bytes.length < most, data_b64 };
    });
  },

  async mount_file_write(root, { path, offset = 0, data_b64, truncate_to_size: size }, op) {
    const data = Buffer.from(data_b64, 'base64');
    const isAll = offset === 0 && size === data.length;
    const handle = await toWrite(root, path, isAll, op);
    return released(handle, async () => {
      if (data.length > 0) await handle.write(offset, data, op);
      if (size !== undefined && !isAll) await handle.setattr({ size }, op);
      await handle.flush?.(op);
      return { path, offset, n: data.length };
    });
  },

  async mount_path_readlink(root, { path }, op) {
    const node = await findNode(root, namesOfPath(path), op, false);
    if (node.kind !== 'symlink') throw new FsError('EINVAL', 'That is no symlink.');
    return { path, target: await node.readlink(op) };
  },

  async mount_path_mkdir(root, { path }, op) {
    const { dir, name } = await placeOf(root, path, op);
    await dir.mkdir(name, 0o755, op);
    return { path };
  },

  async mount_path_unlink(root, { path }, op) {
    const { dir, name } = await placeOf(root, path, op);
    await dir.unlink(name, op);
    return { path };
  },

  async mount_path_rmdir(root, { path }, op) {
    const { dir, name } = await placeOf(root, path, op);
    await dir.rmdir(name, op);
    return { path };
  },

  async mount_path_rename(root, { old_path, new_path }, op) {
    const [from, to] = [await placeOf(root, old_path, op), await placeOf(root, new_path, op)];
    await from.dir.rename(from.name, to.dir, to.name, 0, op);
    return { old_path, new_path };
  },

  async mount_path_symlink(root, { target, link_path }, op) {
    const { dir, name } = await placeOf(root, link_path, op);
    await dir.symlink(name, target, op);
    return { target, link_path };
  },

  async mount_path_setattr(root, { path, mode }, op) {
    const node = await findNode(root, namesOfPath(path), op);
    if (mode !== undefined) await node.setattr({ mode }, op);
    return { path };
  },

  async mount_path_getxattr(root, { path, name }, op) {
    const value = await (await findNode(root, namesOfPath(path), op)).getxattr(name, op);
    return { path, name, value_b64: Buffer.from(value).toString('base64') };
  },

  async mount_path_setxattr(root, { path, name, value_b64, flags = 0 }, op) {
    const node = await findNode(root, namesOfPath(path), op);
    await node.setxattr(name, Buffer.from(value_b64, 'base64'), flags, op);
    return { path, name };
  },

  async mount_path_listxattr(root, { path }, op) {
    const names = await (await findNode(root, namesOfPath(path), op)).listxattr(op);
    return { path, names: [...names] };
  },

  async mount_path_removexattr(root, { path, name }, op) {
    await (await findNode(root, namesOfPath(path), op)).removexattr(name, op);
    return { path, name };
  },
};

/** What is there, and what is below it so far down, the directory before its entries. */
async function below(
  root: DirNode,
  names: readonly string[],
  depth: number,
  nodes: MountGraphNode[],
  op: Op,
): Promise<void> {
  op.signal.throwIfAborted();
  const node = await findNode(root, names, op);
  nodes.push(await told(root, names, op, node));
  if (nodes.length > MAX_NODES)
    throw new FsError('E2BIG', `There are more than ${MAX_NODES} nodes.`, { hint: 'Ask for less depth.' });
  if (depth === 0 || node.kind !== 'dir') return;
  for (const { name } of await node.list(op))
    try {
      await below(root, [...names, name], depth - 1, nodes, op);
    } catch (thrown) {
      // What went meanwhile, or a link that leads nowhere, is not there; nor is what may not be looked at.
      if (!FsError.is(thrown) || !['ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES', 'EPERM'].includes(thrown.code))
        throw thrown;
    }
}

async function told(root: DirNode, names: readonly string[], op: Op, known?: Node): Promise<MountGraphNode> {
  const node = known ?? (await findNode(root, names, op));
  const { kind, size, mode, mtimeNs, ino } = await node.stat(op);
  const mtimeMs = Number(mtimeNs / 1_000_000n);
  return mountGraphNode(names, { name: names.at(-1) ?? '/', kind, size, perm: mode, mtimeMs, ino });
}

const flagsFor = (
  mode: 'r' | 'w',
  truncate = false,
): { read: boolean; write: boolean; append: false; truncate: boolean; exclusive: false } => ({
  ...{ read: mode === 'r', write: mode === 'w', truncate },
  append: false,
  exclusive: false,
});

async function fileAt(root: DirNode, path: string, op: Op): Promise<Node & { readonly kind: 'file' }> {
  const node = await findNode(root, namesOfPath(path), op);
  if (node.kind === 'file') return node;
  throw new FsError('EISDIR', `${path} is a directory.`);
}

/** The file, open to be written; made where there is none. */
async function toWrite(root: DirNode, path: string, truncate: boolean, op: Op): Promise<FileHandle> {
  try {
    return await (await fileAt(root, path, op)).open(flagsFor('w', truncate), op);
  } catch (thrown) {
    if (!FsError.is(thrown) || thrown.code !== 'ENOENT') throw thrown;
  }
  const { dir, name } = await placeOf(root, path, op);
  return (await dir.create(name, flagsFor('w'), 0o644, op)).handle;
}

/** The directory that a name is in. @throws FsError EBUSY for the root, ENOENT, ENOTDIR */
async function placeOf(
  root: DirNode,
  path: string,
  op: Op,
): Promise<{ readonly dir: DirNode; readonly name: string }> {
  const names = namesOfPath(path);
  const name = names.pop();
  if (name === undefined) throw new FsError('EBUSY', 'The root stays as it is.');
  const dir = await findNode(root, names, op);
  if (dir.kind !== 'dir') throw new FsError('ENOTDIR', `/${names.join('/')} is not a directory.`);
  return { dir, name };
}

async function released<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await handle.release();
  }
}
