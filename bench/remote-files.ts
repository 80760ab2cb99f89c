import { closeSync, openSync, readSync } from 'node:fs';
import { localSession } from '../lib/policy/index.js';
import type { RemoteVfs } from '../lib/tunnel/index.js';
import { walk, type FileNode, type Op, type OpenFlags } from '../lib/vfs/index.js';

export const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
export const WRITE: OpenFlags = { ...READ, read: false, write: true };

/** As a mount makes one: for one request, its signal at hand if somebody asks. */
export class BenchOp implements Op {
  static readonly #session = localSession('admin');
  readonly session = BenchOp.#session;
  get signal(): AbortSignal {
    return new AbortController().signal;
  }
}

export async function fileAt(vfs: RemoteVfs, name: string, op: Op): Promise<FileNode> {
  return (await walk(vfs.root, name, op)) as FileNode;
}

export async function readSmall(vfs: RemoteVfs, name: string): Promise<void> {
  const handle = await (await fileAt(vfs, name, new BenchOp())).open(READ, new BenchOp());
  await handle.read(0, 4096, new BenchOp());
  await handle.release();
}

/** Opens, reads and closes a file of a mount; blocks, so that nothing but the file is waited for. */
export function readMounted(path: string): void {
  const file = openSync(path, 'r');
  readSync(file, Buffer.alloc(4096));
  closeSync(file);
}
