/**
 * The structs of linux/fuse.h, 7.31 to 7.45, under the header's own names. What later minors appended at
 * an end is here as well: a reader must look at the length that came.
 */
import { struct } from './layout.js';

export const fuse_in_header = struct('fuse_in_header', {
  len: 'u32',
  opcode: 'u32',
  unique: 'u64',
  nodeid: 'u64',
  uid: 'u32',
  gid: 'u32',
  pid: 'u32',
  total_extlen: 'u16', // padding before 7.38
  padding: 'u16',
});

export const fuse_out_header = struct('fuse_out_header', { len: 'u32', error: 'i32', unique: 'u64' });

export const fuse_attr = struct('fuse_attr', {
  ino: 'u64',
  size: 'u64',
  blocks: 'u64',
  atime: 'u64',
  mtime: 'u64',
  ctime: 'u64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  nlink: 'u32',
  uid: 'u32',
  gid: 'u32',
  rdev: 'u32',
  blksize: 'u32',
  flags: 'u32',
});

export const fuse_kstatfs = struct('fuse_kstatfs', {
  blocks: 'u64',
  bfree: 'u64',
  bavail: 'u64',
  files: 'u64',
  ffree: 'u64',
  bsize: 'u32',
  namelen: 'u32',
  frsize: 'u32',
  padding: 'u32',
  spare: ['u32', 6],
});

export const fuse_entry_out = struct('fuse_entry_out', {
  nodeid: 'u64',
  generation: 'u64',
  entry_valid: 'u64',
  attr_valid: 'u64',
  entry_valid_nsec: 'u32',
  attr_valid_nsec: 'u32',
  attr: fuse_attr,
});

export const fuse_forget_in = struct('fuse_forget_in', { nlookup: 'u64' });
export const fuse_forget_one = struct('fuse_forget_one', { nodeid: 'u64', nlookup: 'u64' });
export const fuse_batch_forget_in = struct('fuse_batch_forget_in', { count: 'u32', dummy: 'u32' });
export const fuse_getattr_in = struct('fuse_getattr_in', { getattr_flags: 'u32', dummy: 'u32', fh: 'u64' });

export const fuse_attr_out = struct('fuse_attr_out', {
  attr_valid: 'u64',
  attr_valid_nsec: 'u32',
  dummy: 'u32',
  attr: fuse_attr,
});

export const fuse_mknod_in = struct('fuse_mknod_in', {
  mode: 'u32',
  rdev: 'u32',
  umask: 'u32',
  padding: 'u32',
});
export const fuse_mkdir_in = struct('fuse_mkdir_in', { mode: 'u32', umask: 'u32' });
export const fuse_rename_in = struct('fuse_rename_in', { newdir: 'u64' });
export const fuse_rename2_in = struct('fuse_rename2_in', { newdir: 'u64', flags: 'u32', padding: 'u32' });
export const fuse_link_in = struct('fuse_link_in', { oldnodeid: 'u64' });

export const fuse_setattr_in = struct('fuse_setattr_in', {
  valid: 'u32',
  padding: 'u32',
  fh: 'u64',
  size: 'u64',
  lock_owner: 'u64',
  atime: 'u64',
  mtime: 'u64',
  ctime: 'u64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  unused4: 'u32',
  uid: 'u32',
  gid: 'u32',
  unused5: 'u32',
});

export const fuse_open_in = struct('fuse_open_in', { flags: 'u32', open_flags: 'u32' });
export const fuse_create_in = struct('fuse_create_in', {
  flags: 'u32',
  mode: 'u32',
  umask: 'u32',
  open_flags: 'u32',
});
/** `backing_id` was padding before 7.40. */
export const fuse_open_out = struct('fuse_open_out', { fh: 'u64', open_flags: 'u32', backing_id: 'i32' });
export const fuse_backing_map = struct('fuse_backing_map', { fd: 'i32', flags: 'u32', padding: 'u64' });

export const fuse_release_in = struct('fuse_release_in', {
  fh: 'u64',
  flags: 'u32',
  release_flags: 'u32',
  lock_owner: 'u64',
});

export const fuse_flush_in = struct('fuse_flush_in', {
  fh: 'u64',
  unused: 'u32',
  padding: 'u32',
  lock_owner: 'u64',
});

export const fuse_read_in = struct('fuse_read_in', {
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  read_flags: 'u32',
  lock_owner: 'u64',
  flags: 'u32',
  padding: 'u32',
});

export const fuse_write_in = struct('fuse_write_in', {
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  write_flags: 'u32',
  lock_owner: 'u64',
  flags: 'u32',
  padding: 'u32',
});

export const fuse_write_out = struct('fuse_write_out', { size: 'u32', padding: 'u32' });
export const fuse_fsync_in = struct('fuse_fsync_in', { fh: 'u64', fsync_flags: 'u32', padding: 'u32' });

/** Only its first 8 bytes (FUSE_COMPAT_SETXATTR_IN_SIZE) travel: FUSE_SETXATTR_EXT is not asked for. */
export const fuse_setxattr_in = struct('fuse_setxattr_in', {
  size: 'u32',
  flags: 'u32',
  setxattr_flags: 'u32',
  padding: 'u32',
});
export const FUSE_COMPAT_SETXATTR_IN_SIZE = 8;

export const fuse_getxattr_in = struct('fuse_getxattr_in', { size: 'u32', padding: 'u32' });
export const fuse_getxattr_out = struct('fuse_getxattr_out', { size: 'u32', padding: 'u32' });
export const fuse_access_in = struct('fuse_access_in', { mask: 'u32', padding: 'u32' });

/** The first four fields before 7.36; the rest came with FUSE_INIT_EXT. */
export const fuse_init_in = struct('fuse_init_in', {
  major: 'u32',
  minor: 'u32',
  max_readahead: 'u32',
  flags: 'u32',
  flags2: 'u32',
  unused: ['u32', 11],
});

export const fuse_init_out = struct('fuse_init_out', {
  major: 'u32',
  minor: 'u32',
  max_readahead: 'u32',
  flags: 'u32',
  max_background: 'u16',
  congestion_threshold: 'u16',
  max_write: 'u32',
  time_gran: 'u32',
  max_pages: 'u16',
  map_alignment: 'u16',
  flags2: 'u32',
  max_stack_depth: 'u32', // 7.40
  request_timeout: 'u16', // 7.43
  unused: ['u16', 11],
});

/** `end` is the last byte, `type` an F_RDLCK, F_WRLCK or F_UNLCK of fcntl(2). */
export const fuse_file_lock = struct('fuse_file_lock', { start: 'u64', end: 'u64', type: 'u32', pid: 'u32' });
export const fuse_lk_in = struct('fuse_lk_in', {
  fh: 'u64',
  owner: 'u64',
  lk: fuse_file_lock,
  lk_flags: 'u32',
  padding: 'u32',
});
export const fuse_lk_out = struct('fuse_lk_out', { lk: fuse_file_lock });

export const fuse_interrupt_in = struct('fuse_interrupt_in', { unique: 'u64' });
export const fuse_fallocate_in = struct('fuse_fallocate_in', {
  fh: 'u64',
  offset: 'u64',
  length: 'u64',
  mode: 'u32',
  padding: 'u32',
});
export const fuse_lseek_in = struct('fuse_lseek_in', {
  fh: 'u64',
  offset: 'u64',
  whence: 'u32',
  padding: 'u32',
});
export const fuse_lseek_out = struct('fuse_lseek_out', { offset: 'u64' });

/** The fixed part; `namelen` bytes of name follow at its end (FUSE_NAME_OFFSET). */
export const fuse_dirent = struct('fuse_dirent', { ino: 'u64', off: 'u64', namelen: 'u32', type: 'u32' });
export const fuse_direntplus = struct('fuse_direntplus', { entry_out: fuse_entry_out, dirent: fuse_dirent });

export const fuse_notify_inval_inode_out = struct('fuse_notify_inval_inode_out', {
  ino: 'u64',
  off: 'i64',
  len: 'i64',
});
/** `flags` was padding before 7.38. */
export const fuse_notify_inval_entry_out = struct('fuse_notify_inval_entry_out', {
  parent: 'u64',
  namelen: 'u32',
  flags: 'u32',
});
export const fuse_notify_delete_out = struct('fuse_notify_delete_out', {
  parent: 'u64',
  child: 'u64',
  namelen: 'u32',
  padding: 'u32',
});
export const fuse_notify_retrieve_out = struct('fuse_notify_retrieve_out', {
  notify_unique: 'u64',
  nodeid: 'u64',
  offset: 'u64',
  size: 'u32',
  padding: 'u32',
});
