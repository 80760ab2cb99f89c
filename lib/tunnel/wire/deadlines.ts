import type { FsMessageName } from '../../protocol/index.js';

/** How long a peer is waited for, in looks; a look is taken every so often while an answer is awaited. */
export const LOOK_MS = 250;
/** No answer came in so many looks: the peer is asked for a sign. */
export const PROBE_LOOKS = 3;
/** Nor then: it is silent. What reads fails; nothing but a sign is asked of it until it answers. */
export const SILENT_LOOKS = 7;
/** Nor then: what changes or calls fails too, its outcome unknown; the connection is given up if nothing at all came. */
export const CUT_LOOKS = 16;
/** A request that only reads has an answer in so many looks, though the peer is heard. */
export const READ_LOOKS = 40;
/** One that changes something, on a disk that may be slow. */
export const CHANGE_LOOKS = 240;
/** One that was cancelled: as long as a driver may take to end, and then some. */
export const CANCEL_LOOKS = 60;
/** Looks in which much content came do not count for a deadline, up to so many times as long. */
export const MOST_EXTENSION = 12;
/** So many reads in a row that got no answer in time: the peer is taken for silent, whatever signs it gives. */
export const MOST_UNANSWERED = 3;
/** After this many looks, a peer that gave signs but answered no reads is tried again. */
export const MUTE_LOOKS = 120;

/** A slow line may take this long for content that was sent. */
export const BYTES_PER_LOOK = 512 * 1024;
/** More than keepalives bring: a frame is under way. */
export const BULK_BYTES_PER_LOOK = 4096;

/** Far longer than a look should take to come: we did not run, and know nothing of the peer. */
export const LATE_MS = 500;

/**
 * `read`: begins nothing, so that the caller may be answered at any time. `change`: its outcome is
 * unknown where no answer comes. `call`: may take as long as a driver, while the peer gives signs. `wait`: a
 * read that may take as long. `idle`: waits for what may never happen, so no answer is owed. `sign`: asked only to see
 * whether it answers.
 */
export type RequestKind = 'read' | 'change' | 'call' | 'wait' | 'idle' | 'sign';

const KINDS: { readonly [Name in FsMessageName]?: RequestKind } = {
  hello: 'read',
  exports: 'read',
  catalog: 'read',
  lookup: 'read',
  getattr: 'read',
  readdirp: 'read',
  open: 'read',
  read: 'read',
  readlink: 'read',
  access: 'read',
  statfs: 'read',
  seek: 'read',
  getxattr: 'read',
  listxattr: 'read',
  cancel: 'read',
  forget: 'read',
  write: 'call',
  await: 'idle',
  lock: 'idle',
};

/** It begins nothing: without its caller it need not go on. */
export function onlyReads(name: FsMessageName): boolean {
  const kind = kindOfRequest(name);
  return kind === 'read' || kind === 'idle';
}

export function kindOfRequest(name: FsMessageName): RequestKind {
  return KINDS[name] ?? 'change';
}
