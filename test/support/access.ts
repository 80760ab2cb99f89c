import { constants } from 'node:fs';

/**
 * File operations as a program makes them, whichever way they take to a tree: `vfsSuite` knows nothing else.
 * What fails throws an error with the errno's name as its `code`. Paths begin with a slash, below the root
 * of the tree.
 */
export interface Access {
  stat(path: string): Promise<AccessStat>;
  lstat(path: string): Promise<AccessStat>;
  /** The names in a directory, in the order in which they come. */
  readdir(path: string): Promise<string[]>;
  readlink(path: string): Promise<string>;
  /** access(2): `mask` of R_OK 4, W_OK 2, X_OK 1. */
  access(path: string, mask: number): Promise<void>;
  /** open(2): `flags` of `O`. */
  open(path: string, flags: number, mode?: number): Promise<AccessFile>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** renameat2(2). */
  rename(from: string, to: string, flags?: number): Promise<void>;
  link(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  utimes(path: string, atimeMs: number, mtimeMs: number): Promise<void>;
  statfs(path: string): Promise<{ readonly blockSize: number; readonly blocks: number }>;
  getxattr(path: string, name: string): Promise<string>;
  setxattr(path: string, name: string, value: string, flags?: number): Promise<void>;
  listxattr(path: string): Promise<string[]>;
  removexattr(path: string, name: string): Promise<void>;
}

export interface AccessFile {
  /** Up to `size` bytes; fewer at the end alone. */
  read(at: number, size: number): Promise<Buffer>;
  /** At the end where the file was opened with O_APPEND. */
  write(at: number, data: Uint8Array): Promise<number>;
  stat(): Promise<AccessStat>;
  truncate(size: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface AccessStat {
  readonly kind: 'dir' | 'file' | 'symlink';
  readonly ino: bigint;
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
}

export const O = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  both: constants.O_RDWR,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
  truncate: constants.O_TRUNC,
  append: constants.O_APPEND,
} as const;

/** What cat(1) would print. */
export async function readAll(access: Access, path: string): Promise<Buffer> {
  const file = await access.open(path, O.read);
  try {
    return await readToEnd(file);
  } finally {
    await file.close();
  }
}

export async function readToEnd(file: AccessFile, from = 0): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = from; ;) {
    const piece = await file.read(at, 65_536);
    if (piece.length === 0) return Buffer.concat(pieces);
    pieces.push(piece);
    at += piece.length;
  }
}

export async function readText(access: Access, path: string): Promise<string> {
  return (await readAll(access, path)).toString();
}

/** What `printf %s TEXT > path` does; `extra` for O_APPEND. */
export async function writeText(
  access: Access,
  path: string,
  text: string,
  flags: number = O.write | O.create | O.truncate,
): Promise<void> {
  const file = await access.open(path, flags, 0o644);
  try {
    await file.write(0, Buffer.from(text));
  } finally {
    await file.close();
  }
}

/** The errno name that an operation fails with; null where it does not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
}
