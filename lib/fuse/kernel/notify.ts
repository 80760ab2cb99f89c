import { bytesFromText } from '../../linux/index.js';
import { FUSE_EXPIRE_ONLY, NOTIFY } from './constants.js';
import { putOutHeader } from './encode.js';
import { viewOf, writeU64 } from './layout.js';
import {
  fuse_notify_delete_out,
  fuse_notify_inval_entry_out,
  fuse_notify_inval_inode_out,
  fuse_notify_retrieve_out,
  fuse_out_header,
} from './structs.js';

const BODY = fuse_out_header.byteLength;

/** A notification: header with `unique` 0 and the code in the place of the error. */
function message(code: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(BODY + bodyBytes);
  putOutHeader(viewOf(bytes), bytes.byteLength, code, 0);
  return bytes;
}

/**
 * The kernel's copy of the attributes of `nodeid` is void; with 'data', its cached pages (and a
 * directory's cached listing) too. With 'attr' the kernel takes no lock that a request could hold; with
 * 'data' it waits for pages that are being read.
 */
export function invalInode(nodeid: number, what: 'attr' | 'data'): Buffer {
  const at = fuse_notify_inval_inode_out.at;
  const bytes = message(NOTIFY.FUSE_NOTIFY_INVAL_INODE, fuse_notify_inval_inode_out.byteLength);
  writeU64(viewOf(bytes), nodeid, BODY + at.ino);
  bytes.writeBigInt64LE(what === 'attr' ? -1n : 0n, BODY + at.off);
  return bytes; // len 0: to the end
}

/**
 * The name is void. The kernel takes the lock of the directory, so sending this may wait for every
 * request that holds it. `expireOnly` (7.38, FUSE_HAS_EXPIRE_ONLY) leaves what is open below it in place.
 */
export function invalEntry(parent: number, name: string, expireOnly: boolean): Buffer {
  const at = fuse_notify_inval_entry_out.at;
  const nameBytes = bytesFromText(name);
  const namelen = nameBytes.byteLength;
  const fixed = fuse_notify_inval_entry_out.byteLength;
  const bytes = message(NOTIFY.FUSE_NOTIFY_INVAL_ENTRY, fixed + namelen + 1);
  writeU64(viewOf(bytes), parent, BODY + at.parent);
  bytes.writeUInt32LE(namelen, BODY + at.namelen);
  bytes.writeUInt32LE(expireOnly ? FUSE_EXPIRE_ONLY : 0, BODY + at.flags);
  nameBytes.copy(bytes, BODY + fixed);
  return bytes;
}

/** The name went: as `invalEntry`, and watches of `child` (inotify) are notified. */
export function deleteEntry(parent: number, child: number, name: string): Buffer {
  const at = fuse_notify_delete_out.at;
  const nameBytes = bytesFromText(name);
  const namelen = nameBytes.byteLength;
  const fixed = fuse_notify_delete_out.byteLength;
  const bytes = message(NOTIFY.FUSE_NOTIFY_DELETE, fixed + namelen + 1);
  writeU64(viewOf(bytes), parent, BODY + at.parent);
  writeU64(viewOf(bytes), child, BODY + at.child);
  bytes.writeUInt32LE(namelen, BODY + at.namelen);
  nameBytes.copy(bytes, BODY + fixed);
  return bytes;
}

/** Every name that the kernel keeps is void (7.44). Takes no lock. */
export function incEpoch(): Buffer {
  return message(NOTIFY.FUSE_NOTIFY_INC_EPOCH, 0);
}

/** Asks for nothing of the cache of `nodeid`: the kernel answers with an empty FUSE_NOTIFY_REPLY request. */
export function retrieve(nodeid: number): Buffer {
  const bytes = message(NOTIFY.FUSE_NOTIFY_RETRIEVE, fuse_notify_retrieve_out.byteLength);
  writeU64(viewOf(bytes), nodeid, BODY + fuse_notify_retrieve_out.at.nodeid);
  return bytes;
}
