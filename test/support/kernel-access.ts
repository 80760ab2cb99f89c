import { execFile } from 'node:child_process';
import type { BigIntStats } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Access, AccessStat } from './access.js';

/** Operations on a mounted directory, through the kernel. The mount must be another process's. */
export function kernelAccess(dir: string): Access {
  const at = (path: string): string => (path === '/' ? dir : dir + path);
  return {
    stat: async (path) => statFrom(await fs.stat(at(path), { bigint: true })),
    lstat: async (path) => statFrom(await fs.lstat(at(path), { bigint: true })),
    readdir: (path) => fs.readdir(at(path)),
    readlink: (path) => fs.readlink(at(path)),
    access: (path, mask) => fs.access(at(path), mask),
    mkdir: async (path) => fs.mkdir(at(path)),
    rmdir: (path) => fs.rmdir(at(path)),
    unlink: (path) => fs.unlink(at(path)),
    async rename(from, to, flags = 0) {
      if (flags === 0) await fs.rename(at(from), at(to));
      else await systemCall('rename', at(from), at(to), String(flags));
    },
    link: (from, to) => fs.link(at(from), at(to)),
    symlink: (target, path) => fs.symlink(target, at(path)),
    chmod: (path, mode) => fs.chmod(at(path), mode),
    truncate: (path, size) => truncate(at(path), size),
    utimes: (path, atimeMs, mtimeMs) => fs.utimes(at(path), atimeMs / 1000, mtimeMs / 1000),
    async statfs(path) {
      const found = await fs.statfs(at(path));
      return { blockSize: found.bsize, blocks: found.blocks };
    },
    getxattr: async (path, name) => (await systemCall('getxattr', at(path), name)) as string,
    async setxattr(path, name, value, flags = 0) {
      await systemCall('setxattr', at(path), name, value, String(flags));
    },
    listxattr: async (path) => (await systemCall('listxattr', at(path))) as string[],
    async removexattr(path, name) {
      await systemCall('removexattr', at(path), name);
    },
    async open(path, flags, mode = 0o644) {
      const file = await fs.open(at(path), flags, mode);
      return {
        async read(offset, size) {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(size), 0, size, offset);
          return buffer.subarray(0, bytesRead);
        },
        write: async (offset, data) => (await file.write(data, 0, data.byteLength, offset)).bytesWritten,
        stat: async () => statFrom(await file.stat({ bigint: true })),
        truncate: (size) => file.truncate(size),
        chmod: (bits) => file.chmod(bits),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
}

function statFrom(stat: BigIntStats): AccessStat {
  return {
    kind: stat.isDirectory() ? 'dir' : stat.isSymbolicLink() ? 'symlink' : 'file',
    ino: stat.ino,
    mode: Number(stat.mode) & 0o7777,
    nlink: Number(stat.nlink),
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    atimeNs: stat.atimeNs,
  };
}

/** Node's own `truncate` opens the file first; this is truncate(2). */
async function truncate(path: string, size: number): Promise<void> {
  await systemCall('truncate', path, String(size));
}

const SYSTEM_CALLS = `
import ctypes, errno, json, os, sys
name, *args = sys.argv[1:]
def rename(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), int(flags)) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')
calls = {
    'rename': rename,
    'truncate': lambda path, size: os.truncate(path, int(size)),
    'getxattr': lambda path, attr: os.getxattr(path, attr).decode(),
    'setxattr': lambda path, attr, value, flags: os.setxattr(path, attr, value.encode(), int(flags)),
    'listxattr': lambda path: os.listxattr(path),
    'removexattr': lambda path, attr: os.removexattr(path, attr),
}
try:
    print(json.dumps({'value': calls[name](*args)}))
except OSError as e:
    code = errno.errorcode[e.errno]
    print(json.dumps({'code': 'EOPNOTSUPP' if code == 'ENOTSUP' else code}))
`;

/** System calls that Node does not offer, by Python. */
function systemCall(name: string, ...args: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    execFile('python3', ['-c', SYSTEM_CALLS, name, ...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error !== null) return reject(new Error(`python3: ${stderr || error.message}`));
      const answer = JSON.parse(stdout) as { code?: string; value?: unknown };
      if (answer.code === undefined) resolve(answer.value);
      else
        reject(Object.assign(new Error(`${name} ${args.join(' ')}: ${answer.code}`), { code: answer.code }));
    });
  });
}
