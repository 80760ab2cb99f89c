import {
  type Call,
  type EntryOut,
  type Filesystem,
  type OPCODES,
  structs as s,
} from '../../../lib/fuse/kernel/index.js';
import { pack, text } from './protocol-fixture.js';

export const ATTR = {
  ino: 0x1122334455667788n,
  size: 5_000_000_000,
  blocks: 9_765_625,
  atimeNs: 1_700_000_000_123_456_789n,
  mtimeNs: 1_700_000_001_000_000_001n,
  ctimeNs: 1_700_000_001_000_000_001n,
  mode: 0o100644,
  nlink: 3,
  uid: 1000,
  gid: 1001,
};
export const ENTRY: EntryOut = { nodeid: 77, entryValidMs: 1500, attrValidMs: 3_600_000, attr: ATTR };

/** A filesystem that notes what it was asked. */
export function recorder(): { fs: Filesystem; asked: unknown[][]; calls: Call[] } {
  const asked: unknown[][] = [];
  const calls: Call[] = [];
  const note =
    (name: string, answer: unknown) =>
    (...args: unknown[]): unknown => {
      const call = args.pop() as Call;
      calls.push(call);
      asked.push([name, ...args]);
      return answer;
    };
  const open = { fh: 5, openFlags: 1 };
  const fs = {
    lookup: note('lookup', ENTRY),
    getattr: note('getattr', { attr: ATTR, attrValidMs: 250 }),
    setattr: note('setattr', { attr: ATTR, attrValidMs: 0 }),
    readlink: note('readlink', '../täget'),
    symlink: note('symlink', ENTRY),
    mknod: note('mknod', ENTRY),
    mkdir: note('mkdir', ENTRY),
    unlink: note('unlink', undefined),
    rmdir: note('rmdir', undefined),
    rename: note('rename', undefined),
    link: note('link', ENTRY),
    open: note('open', open),
    create: note('create', { entry: ENTRY, open }),
    tmpfile: note('tmpfile', { entry: ENTRY, open }),
    read: note('read', Buffer.from('bytes')),
    write: note('write', 4),
    statfs: note('statfs', {
      blocks: 1n,
      bfree: 2n,
      bavail: 3n,
      files: 4n,
      ffree: 5n,
      bsize: 4096,
      namelen: 255,
    }),
    flush: note('flush', undefined),
    release: note('release', undefined),
    fsync: note('fsync', undefined),
    setxattr: note('setxattr', undefined),
    getxattr: note('getxattr', Buffer.from('value')),
    listxattr: note('listxattr', ['user.a', 'user.b']),
    removexattr: note('removexattr', undefined),
    opendir: note('opendir', open),
    releasedir: note('releasedir', undefined),
    fsyncdir: note('fsyncdir', undefined),
    access: note('access', undefined),
    fallocate: note('fallocate', undefined),
    lseek: note('lseek', 4096),
    getlk: note('getlk', undefined),
    setlk: note('setlk', undefined),
  } as unknown as Filesystem;
  fs.readdir = (nodeid, fh, offset, list) => {
    asked.push(['readdir', nodeid, fh, offset]);
    for (let i = offset; list.add(`näme${i}`, BigInt(i + 10), 8, i + 1); i++);
  };
  fs.readdirplus = (nodeid, fh, offset, list) => {
    asked.push(['readdirplus', nodeid, fh, offset]);
    list.addPlus('.', 1n, 4, 1, null);
    list.addPlus('file', 9n, 8, 2, ENTRY);
  };
  fs.forget = (nodeid, count) => asked.push(['forget', nodeid, count]);
  return { fs, asked, calls };
}

export const body = (...parts: Buffer[]): Buffer => Buffer.concat(parts);
export const READ = { fh: 5n, offset: 0x1_0000_0000n, size: 4096 };

/** More than a double holds. */
const OWNER = 0xfedc_ba98_7654_3211n;
const LOCK = { start: 10n, end: 0x7fff_ffff_ffff_ffffn, pid: 4321, owner: OWNER };

function lock(type: number, flags: number): Buffer {
  const { start, end, pid, owner } = LOCK;
  const head = pack(s.fuse_lk_in, { fh: 5n, owner, lk_flags: flags });
  pack(s.fuse_file_lock, { start, end, type, pid }).copy(head, s.fuse_lk_in.at.lk);
  return head;
}

/** Each request of the protocol, what the filesystem is asked, and how long the reply's body is. */
export const REQUESTS: [keyof typeof OPCODES, Buffer, unknown[], number][] = [
  ['FUSE_LOOKUP', text('näme'), ['lookup', 9, 'näme'], 128],
  ['FUSE_GETATTR', pack(s.fuse_getattr_in, { getattr_flags: 1, fh: 5n }), ['getattr', 9, 5], 104],
  ['FUSE_GETATTR', pack(s.fuse_getattr_in, { fh: 5n }), ['getattr', 9, undefined], 104],
  [
    'FUSE_SETATTR',
    pack(s.fuse_setattr_in, {
      valid: 0x7f,
      fh: 5n,
      size: 6n,
      mode: 0o644,
      uid: 7,
      gid: 8,
      atime: -1n,
      atimensec: 5,
      mtime: 3n,
      mtimensec: 4,
    }),
    [
      'setattr',
      9,
      { fh: 5, mode: 0o644, uid: 7, gid: 8, size: 6, atimeNs: -999_999_995n, mtimeNs: 3_000_000_004n },
    ],
    104,
  ],
  [
    'FUSE_SETATTR',
    pack(s.fuse_setattr_in, { valid: 0x1b0 }),
    ['setattr', 9, { atimeNs: 'now', mtimeNs: 'now' }],
    104,
  ],
  ['FUSE_READLINK', body(), ['readlink', 9], 9],
  ['FUSE_SYMLINK', body(text('name'), text('a/target')), ['symlink', 9, 'name', 'a/target'], 128],
  [
    'FUSE_MKNOD',
    body(pack(s.fuse_mknod_in, { mode: 0o10644, rdev: 3 }), text('n')),
    ['mknod', 9, 'n', 0o10644, 3],
    128,
  ],
  ['FUSE_MKDIR', body(pack(s.fuse_mkdir_in, { mode: 0o755 }), text('d')), ['mkdir', 9, 'd', 0o755], 128],
  ['FUSE_UNLINK', text('u'), ['unlink', 9, 'u'], 0],
  ['FUSE_RMDIR', text('r'), ['rmdir', 9, 'r'], 0],
  [
    'FUSE_RENAME',
    body(pack(s.fuse_rename_in, { newdir: 4n }), text('a'), text('b')),
    ['rename', 9, 'a', 4, 'b', 0],
    0,
  ],
  [
    'FUSE_RENAME2',
    body(pack(s.fuse_rename2_in, { newdir: 4n, flags: 2 }), text('a'), text('b')),
    ['rename', 9, 'a', 4, 'b', 2],
    0,
  ],
  ['FUSE_LINK', body(pack(s.fuse_link_in, { oldnodeid: 3n }), text('l')), ['link', 3, 9, 'l'], 128],
  ['FUSE_OPEN', pack(s.fuse_open_in, { flags: 0o1001 }), ['open', 9, 0o1001], 16],
  [
    'FUSE_CREATE',
    body(pack(s.fuse_create_in, { flags: 0o102, mode: 0o600 }), text('c')),
    ['create', 9, 'c', 0o102, 0o600],
    144,
  ],
  [
    'FUSE_TMPFILE',
    body(pack(s.fuse_create_in, { flags: 0o20200002, mode: 0o600 }), text('#12')),
    ['tmpfile', 9, '#12', 0o20200002, 0o600],
    144,
  ],
  ['FUSE_READ', pack(s.fuse_read_in, READ), ['read', 9, 5, 0x1_0000_0000, 4096], 5],
  [
    'FUSE_WRITE',
    body(pack(s.fuse_write_in, { fh: 5n, offset: 7n, size: 4 }), Buffer.from('data')),
    ['write', 9, 5, 7, Buffer.from('data')],
    8,
  ],
  ['FUSE_STATFS', body(), ['statfs', 9], 80],
  ['FUSE_FLUSH', pack(s.fuse_flush_in, { fh: 5n, lock_owner: OWNER }), ['flush', 9, 5, OWNER], 0],
  ['FUSE_RELEASE', pack(s.fuse_release_in, { fh: 5n }), ['release', 9, 5], 0],
  ['FUSE_FSYNC', pack(s.fuse_fsync_in, { fh: 5n, fsync_flags: 1 }), ['fsync', 9, 5, true], 0],
  [
    'FUSE_SETXATTR',
    body(pack(s.fuse_setxattr_in, { size: 3, flags: 1 }).subarray(0, 8), text('user.x'), Buffer.from('abc')),
    ['setxattr', 9, 'user.x', Buffer.from('abc'), 1],
    0,
  ],
  [
    'FUSE_GETXATTR',
    body(pack(s.fuse_getxattr_in, { size: 64 }), text('user.x')),
    ['getxattr', 9, 'user.x'],
    5,
  ],
  ['FUSE_GETXATTR', body(pack(s.fuse_getxattr_in, {}), text('user.x')), ['getxattr', 9, 'user.x'], 8],
  ['FUSE_LISTXATTR', pack(s.fuse_getxattr_in, { size: 64 }), ['listxattr', 9], 14],
  ['FUSE_REMOVEXATTR', text('user.x'), ['removexattr', 9, 'user.x'], 0],
  ['FUSE_OPENDIR', pack(s.fuse_open_in, {}), ['opendir', 9, 0], 16],
  ['FUSE_READDIR', pack(s.fuse_read_in, { fh: 5n, size: 100 }), ['readdir', 9, 5, 0], 96],
  ['FUSE_READDIRPLUS', pack(s.fuse_read_in, { fh: 5n, size: 4096 }), ['readdirplus', 9, 5, 0], 320],
  ['FUSE_RELEASEDIR', pack(s.fuse_release_in, { fh: 5n }), ['releasedir', 9, 5], 0],
  ['FUSE_FSYNCDIR', pack(s.fuse_fsync_in, { fh: 5n }), ['fsyncdir', 9, 5, false], 0],
  ['FUSE_ACCESS', pack(s.fuse_access_in, { mask: 6 }), ['access', 9, 6], 0],
  [
    'FUSE_FALLOCATE',
    pack(s.fuse_fallocate_in, { fh: 5n, offset: 1n, length: 2n, mode: 3 }),
    ['fallocate', 9, 5, 3, 1, 2],
    0,
  ],
  ['FUSE_GETLK', lock(0, 0), ['getlk', 9, 5, { ...LOCK, kind: 'shared', flock: false }], 24],
  ['FUSE_SETLK', lock(1, 1), ['setlk', 9, 5, { ...LOCK, kind: 'exclusive', flock: true }, false], 0],
  ['FUSE_SETLKW', lock(2, 0), ['setlk', 9, 5, { ...LOCK, kind: 'none', flock: false }, true], 0],
  ['FUSE_LSEEK', pack(s.fuse_lseek_in, { fh: 5n, offset: 1n, whence: 4 }), ['lseek', 9, 5, 1, 4], 8],
];
