import { FsError, type Emitter } from '../core/index.js';
import {
  namesOfPath,
  walk,
  type Change,
  type DirNode,
  type FileHandle,
  type Op,
  type OpenFlags,
} from '../vfs/index.js';
import { findNode } from './find-node.js';
import { linkRule } from './link-rule.js';

/** A tree as one session has it, wherever it is served: in this process, or at the far end of a connection. */
export interface SeenTree {
  readonly root: DirNode;
  /** What is no longer as it was, of what was looked at. */
  readonly changes: Emitter<Change>;
  /** A request of this session; `signal` abandons it. */
  op(signal?: AbortSignal): Op;
}

export const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
export const WRITE: OpenFlags = { ...READ, read: false, write: true };
export const READ_WRITE: OpenFlags = { ...READ, write: true };

const CHUNK_BYTES = 256 * 1024;
const WRITE_BYTES = 128 * 1024;

const mayFollow = linkRule();

/**
 * A link is followed once, to read, and not out of its service directory or its export.
 * @throws FsError EISDIR for what is no file, ELOOP for a link that would be written through.
 */
export async function openFile(
  tree: SeenTree,
  path: string,
  flags: OpenFlags,
  signal?: AbortSignal,
): Promise<FileHandle> {
  const op = tree.op(signal);
  const target = await targetOf(tree, path, signal).catch(async (thrown: unknown) => {
    // Which says more of a name that is not there.
    if (FsError.from(thrown).code === 'ENOENT') await findNode(tree.root, path, op);
    throw thrown;
  });
  if (flags.write && target !== path)
    throw new FsError('ELOOP', `${path} is a link; nothing is written through it.`);
  const node = await walk(tree.root, target, op);
  if (node.kind !== 'file')
    throw new FsError('EISDIR', `${path} is a directory.`, { hint: `acheron ls ${path}` });
  return node.open(flags, op);
}

/**
 * The path that a link leads to; of what is no link its own.
 * @throws FsError EACCES for a link that leads out of its service directory or export.
 */
export async function targetOf(tree: SeenTree, path: string, signal?: AbortSignal): Promise<string> {
  const node = await walk(tree.root, path, tree.op(signal));
  if (node.kind !== 'symlink') return path;
  const target = await node.readlink(tree.op(signal));
  mayFollow(namesOfPath(path), target);
  return `/${[...namesOfPath(path).slice(0, -1), target].join('/')}`;
}

/** The bytes from `at` on, in pieces, until the end as of now. */
export async function* readFrom(handle: FileHandle, op: Op, at = 0): AsyncGenerator<Uint8Array> {
  for (let offset = at; ;) {
    const bytes = await handle.read(offset, CHUNK_BYTES, op);
    if (bytes.length === 0) return;
    offset += bytes.length;
    yield bytes;
  }
}

/** All that a descriptor shows from `at` on. */
export async function readRest(handle: FileHandle, op: Op, at = 0): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const bytes of readFrom(handle, op, at)) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts);
}

/** The whole of a file. */
export async function readBytes(tree: SeenTree, path: string, signal?: AbortSignal): Promise<Buffer> {
  const handle = await openFile(tree, path, READ, signal);
  try {
    return await readRest(handle, tree.op(signal));
  } finally {
    await handle.release();
  }
}

export async function readText(tree: SeenTree, path: string, signal?: AbortSignal): Promise<string> {
  return (await readBytes(tree, path, signal)).toString();
}

export async function readJson<Shape>(tree: SeenTree, path: string, signal?: AbortSignal): Promise<Shape> {
  return JSON.parse(await readText(tree, path, signal)) as Shape;
}

/** Writes all of it from the start, in pieces, and lets the file say what it makes of the end. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, op: Op): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await handle.write(at, bytes.subarray(at, at + WRITE_BYTES), op);
  await handle.flush?.(op);
}

/** Opens a file that is there, writes, and closes it: `echo > path`. */
export async function writeFile(
  tree: SeenTree,
  path: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const handle = await openFile(tree, path, WRITE, signal);
  try {
    await writeAll(handle, bytes, tree.op(signal));
  } finally {
    await handle.release();
  }
}
