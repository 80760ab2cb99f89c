import * as z from 'zod';
import { byteLengthOfText } from '../../linux/index.js';
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from '../limits.js';

/** A count, offset, size or number of ours: an integer that JSON can hold. */
export const wireNumber = z.int().min(0);

/** A 64-bit unsigned number as decimal digits, because a JSON number holds 53 bits. */
export const wireUint64 = z
  .string()
  .max(20)
  .regex(/^(0|[1-9][0-9]*)$/);

/** A time, nanoseconds since the epoch, as decimal digits; it may lie before 1970. */
export const wireTimeNs = z
  .string()
  .max(21)
  .regex(/^-?(0|[1-9][0-9]*)$/);

/** The name of a directory entry. */
export const wireName = z
  .string()
  .min(1)
  .refine((name) => byteLengthOfText(name) <= MAX_NAME_BYTES, 'a name has at most 255 bytes')
  .refine(
    (name) => name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0'),
    'a name is not "." or "..", and has no slash and no NUL',
  );

/** A slash-separated path or a symlink's target. */
export const wirePath = z
  .string()
  .refine((path) => byteLengthOfText(path) <= MAX_PATH_BYTES, 'a path has at most 4096 bytes')
  .refine((path) => !path.includes('\0'), 'a path has no NUL');

/** File content in base64 (RFC 4648, padded). */
export const wireBase64 = z.string();

export const wireKind = z.enum(['file', 'dir', 'symlink']);

/** What a special file is; its `kind` is `file`. */
export const wireSpecial = z.enum(['pipe', 'socket', 'character', 'block']);

/** How long attributes and content stay true; see `Freshness` of `lib/vfs`. */
export const wireFreshness = z.enum(['announced', 'live', 'shared']);

/** What stat reports. `mode` is what this session may do; `perm` are the permission bits. */
export const wireAttributes = z.object({
  kind: wireKind,
  special: wireSpecial.optional(),
  /** Of a device: its number, as makedev(3) puts it into 32 bits. */
  rdev: wireNumber.optional(),
  size: wireNumber,
  mode: z.enum(['', 'r', 'w', 'rw']),
  perm: wireNumber.optional(),
  ino: wireUint64.optional(),
  nlink: wireNumber.optional(),
  uid: wireNumber.nullish(),
  gid: wireNumber.nullish(),
  blocks: wireNumber.optional(),
  atime_ns: wireTimeNs.optional(),
  mtime_ns: wireTimeNs.optional(),
  ctime_ns: wireTimeNs.optional(),
  freshness: wireFreshness.optional(),
});

export type WireAttributes = z.infer<typeof wireAttributes>;

/** True: it has no extended attributes. What does not say so may have some. */
export const wireBare = z.boolean().optional();

/** Attributes, and the number by which the connection knows the node. */
export const wireNode = wireAttributes.extend({ node: wireNumber });

export type WireNode = z.infer<typeof wireNode>;
