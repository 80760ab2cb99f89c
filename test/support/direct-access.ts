import { FsError } from '../../lib/core/index.js';
import { localSession, type Session } from '../../lib/policy/index.js';
import {
  namesOfPath,
  type Caller,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type Vfs,
} from '../../lib/vfs/index.js';
import { O, type Access, type AccessFile, type AccessStat } from './access.js';

const UMASK = 0o022;

/** Operations on a `Vfs` itself: does what the kernel does above a file system (links, O_CREAT, O_APPEND). */
export function directAccess(vfs: Vfs, session: Session = localSession('admin'), caller?: Caller): Access {
  const op: Op = { session, signal: new AbortController().signal, ...(caller && { caller }) };

  async function resolve(path: string, follow: boolean): Promise<Node> {
    return descend([{ node: vfs.root }], namesOfPath(path), follow, 0);
  }

  /** `trail` is the way from the root, so that `..` in a link finds back. */
  async function descend(
    trail: readonly { node: Node }[],
    names: readonly string[],
    follow: boolean,
    links: number,
  ): Promise<Node> {
    let way = [...trail];
    for (const [i, name] of names.entries()) {
      const here = way.at(-1)!.node;
      if (here.kind !== 'dir') throw new FsError('ENOTDIR', `${name} is below a file.`);
      if (Buffer.byteLength(name) > 255) throw new FsError('ENAMETOOLONG', 'The name is too long.');
      const node = await here.lookup(name, op);
      const last = i === names.length - 1;
      if (node.kind === 'symlink' && (follow || !last)) {
        if (links >= 40) throw new FsError('ELOOP', 'Too many links.');
        const target = await node.readlink(op);
        const rest = [
          ...target.split('/').filter((part) => part !== '' && part !== '.'),
          ...names.slice(i + 1),
        ];
        return descend(target.startsWith('/') ? [{ node: vfs.root }] : way, rest, follow, links + 1);
      }
      way = [...way, { node }];
    }
    return way.at(-1)!.node;
  }

  async function inParent<T>(
    path: string,
    act: (parent: DirNode, name: string) => T | Promise<T>,
  ): Promise<T> {
    const names = namesOfPath(path);
    const name = names.pop()!;
    const parent = await resolve(names.join('/'), true);
    if (parent.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is below a file.`);
    return act(parent, name);
  }

  async function openNode(
    path: string,
    flags: number,
    mode: number,
    links = 0,
  ): Promise<{ node: FileNode; handle: FileHandle }> {
    const wanted = flagsFrom(flags);
    if (links > 40) throw new FsError('ELOOP', `${path} leads through too many links.`);
    if ((flags & O.create) !== 0) {
      const created = await inParent(path, async (parent, name) => {
        let found: Node;
        try {
          found = await parent.lookup(name, op);
        } catch (thrown) {
          if (FsError.from(thrown).code === 'ENOENT') return parent.create(name, wanted, mode & ~UMASK, op);
          throw thrown;
        }
        if (wanted.exclusive) throw new FsError('EEXIST', `${path} exists.`);
        if (found.kind !== 'symlink') return undefined;
        // What the link points to is created, as by open(2).
        const target = await found.readlink(op);
        return openNode(target.startsWith('/') ? target : `${path}/../${target}`, flags, mode, links + 1);
      });
      if (created !== undefined) return created;
    }
    const node = await resolve(path, true);
    if (node.kind !== 'file') throw new FsError('EISDIR', `${path} is a directory.`);
    return { node, handle: await node.open(wanted, op) };
  }

  const setattr = async (path: string, change: Parameters<Node['setattr']>[0]): Promise<void> => {
    await (await resolve(path, true)).setattr(change, op);
  };
  const nsFromMs = (ms: number): bigint => BigInt(ms) * 1_000_000n;

  return translated<Access>({
    stat: async (path) => statFrom(await (await resolve(path, true)).stat(op)),
    lstat: async (path) => statFrom(await (await resolve(path, false)).stat(op)),
    async readdir(path) {
      const node = await resolve(path, true);
      if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is a file.`);
      return (await node.list(op)).map((entry) => entry.name);
    },
    async readlink(path) {
      const node = await resolve(path, false);
      if (node.kind !== 'symlink') throw new FsError('EINVAL', `${path} is not a link.`);
      return node.readlink(op);
    },
    access: async (path, mask) => (await resolve(path, true)).access(mask, op),
    async mkdir(path) {
      await inParent(path, (parent, name) => parent.mkdir(name, 0o777 & ~UMASK, op));
    },
    rmdir: (path) => inParent(path, (parent, name) => parent.rmdir(name, op)),
    unlink: (path) => inParent(path, (parent, name) => parent.unlink(name, op)),
    rename: (from, to, flags = 0) =>
      inParent(from, (fromDir, fromName) =>
        inParent(to, (toDir, toName) => fromDir.rename(fromName, toDir, toName, flags, op)),
      ),
    async link(from, to) {
      const target = await resolve(from, false);
      await inParent(to, (parent, name) => parent.link(target, name, op));
    },
    async symlink(target, path) {
      await inParent(path, (parent, name) => parent.symlink(name, target, op));
    },
    chmod: (path, mode) => setattr(path, { mode }),
    truncate: (path, size) => setattr(path, { size }),
    utimes: (path, atimeMs, mtimeMs) =>
      setattr(path, { atimeNs: nsFromMs(atimeMs), mtimeNs: nsFromMs(mtimeMs) }),
    async statfs(path) {
      const found = await (await resolve(path, true)).statfs(op);
      return { blockSize: found.blockSize, blocks: Number(found.blocks) };
    },
    getxattr: async (path, name) =>
      Buffer.from(await (await resolve(path, true)).getxattr(name, op)).toString(),
    setxattr: async (path, name, value, flags = 0) =>
      (await resolve(path, true)).setxattr(name, Buffer.from(value), flags, op),
    listxattr: async (path) => [...(await (await resolve(path, true)).listxattr(op))],
    removexattr: async (path, name) => (await resolve(path, true)).removexattr(name, op),
    async open(path, flags, mode = 0o644): Promise<AccessFile> {
      const { handle } = await openNode(path, flags, mode);
      return translated<AccessFile>({
        // Copied, as the kernel does: what was read does not change afterwards.
        read: async (at, size) => Buffer.from(Uint8Array.from(await handle.read(at, size, op))),
        async write(at, data) {
          return handle.write((flags & O.append) === 0 ? at : (await handle.stat(op)).size, data, op);
        },
        stat: async () => statFrom(await handle.stat(op)),
        async truncate(size) {
          await handle.setattr({ size }, op);
        },
        async chmod(bits) {
          await handle.setattr({ mode: bits }, op);
        },
        sync: async () => handle.fsync(false, op),
        async close() {
          await handle.flush?.(op);
          await handle.release();
        },
      });
    },
  });
}

function flagsFrom(flags: number): OpenFlags {
  const way = flags & 3;
  return {
    read: way !== O.write,
    write: way !== O.read,
    append: (flags & O.append) !== 0,
    truncate: (flags & O.truncate) !== 0,
    exclusive: (flags & O.exclusive) !== 0,
  };
}

function statFrom(stat: Stat): AccessStat {
  const { kind, ino, mode, nlink, size, mtimeNs, atimeNs } = stat;
  return { kind, ino, mode, nlink, size, mtimeNs, atimeNs };
}

/** As a bridge does: whatever is thrown becomes an `FsError`, so that there is a `code`. */
function translated<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (methods, name, self) => {
      const method = Reflect.get(methods, name, self) as unknown;
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]): Promise<unknown> => {
        try {
          return (await Reflect.apply(method, methods, args)) as unknown;
        } catch (thrown) {
          throw FsError.from(thrown);
        }
      };
    },
  });
}
