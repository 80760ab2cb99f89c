import type { FileHandle, Op } from '../vfs/index.js';
import { openFile, readText, WRITE } from '../worldfs/index.js';
import type { Tree } from './tree.js';

const WRITE_BYTES = 128 * 1024;

export async function readJson<Shape>(tree: Tree, path: string, signal?: AbortSignal): Promise<Shape> {
  return JSON.parse(await readText(tree, path, signal)) as Shape;
}

/** Writes all of it from the start, in pieces, and lets the file say what it makes of the end. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, op: Op): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await handle.write(at, bytes.subarray(at, at + WRITE_BYTES), op);
  await handle.flush?.(op);
}

/** Opens a file that is there, writes, and closes it: `echo > path`. */
export async function writeFile(
  tree: Tree,
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
