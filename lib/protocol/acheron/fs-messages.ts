import * as z from 'zod';
import {
  wireAttributes,
  wireBare,
  wireBase64,
  wireFreshness,
  wireKind,
  wireName,
  wireNode,
  wireNumber,
  wirePath,
  wireSpecial,
  wireTimeNs,
  wireUint64,
} from './attributes.js';
import { catalogNews, catalogPage, catalogRequest } from './catalog-messages.js';
import { message, type FsMessage } from './fs-message.js';

const nothing = z.object({});
/** open(2) in Linux numbers (asm-generic), or in words; words win. */
const openHow = { mode: z.enum(['r', 'w', 'rw']).optional(), flags: wireNumber.optional() };
/** Permission bits of what is made, and those that the caller's umask took, which a default ACL gives back. */
const permissions = { perm: wireNumber.optional(), masked: wireNumber.optional() };
const opened = z.object({
  handle: wireNumber,
  mode: z.enum(['r', 'w', 'rw']),
  direct: z.boolean().optional(),
  fixed: z.boolean().optional(),
  attr: wireAttributes.optional(),
  data_b64: wireBase64.optional(),
  eof: z.boolean().optional(),
  closed: z.boolean().optional(),
  flush: z.boolean().optional(),
  bare: wireBare,
  /** Which file it is, as long as it exists; opened again, another one is noticed by it. */
  identity: z.string().max(64).optional(),
});
/** Handles that one `t_fs_close` may name beside its own. */
const MAX_CLOSED_TOGETHER = 1024;
const timeChange = z.union([z.literal('now'), wireTimeNs]);

export const wireExport = z.object({
  name: z.string(),
  root: wireNumber,
  ro: z.boolean(),
  desc: z.string(),
  source_kind: z.string(),
  source_id: z.string(),
  caps: z.array(z.string()),
});

export const wireCapabilities = z.object({
  /** Content may come raw, in binary frames. */
  binary: z.boolean().optional(),
  /** Frames are numbered (`n`), so that one that is lost, doubled or out of order is noticed. */
  sequence: z.boolean().optional(),
  /** Answers an `e_fs_inval` that has `sync` with `e_fs_synced`. */
  sync: z.boolean().optional(),
  /** Answers `t_fs_seek`. */
  seek: z.boolean().optional(),
  /** Answers `t_fs_mknod` and `t_fs_tmpfile`. */
  special: z.boolean().optional(),
  /** Heeds `uid` beside requests. */
  uid: z.boolean().optional(),
  /** Answers `t_fs_await`. */
  await: z.boolean().optional(),
  /** Takes `more` in `t_fs_close`. */
  closes: z.boolean().optional(),
  /** Knows another server to go to: told `e_going_away`, it does so by itself, and closes this connection then. */
  moves: z.boolean().optional(),
});

export const wireEntry = wireAttributes.partial().extend({
  name: z.string(),
  kind: wireKind,
  ino: wireUint64.optional(),
  node: wireNumber.optional(),
  bare: wireBare,
});

/** Every request `acheron.t_fs_<name>` and its reply `acheron.r_fs_<name>`. */
export const FS_MESSAGES = {
  hello: message(
    [],
    'must come first; says who speaks and what it can',
    () =>
      z.object({
        protocol: z.string(),
        proto: wireNumber,
        auth_token: z.string().optional(),
        node_id: z.string().optional(),
        node_secret: z.string().optional(),
        epoch: wireNumber.optional(),
        /** An open session of the same token, to go on with; else a new one begins. */
        session: z.string().optional(),
        instance: z.string().optional(),
        capabilities: wireCapabilities.optional(),
      }),
    () =>
      z.object({
        protocol: z.string(),
        proto: wireNumber,
        instance: z.string().optional(),
        capabilities: z.looseObject({
          ...wireCapabilities.shape,
          max_read_bytes: wireNumber.optional(),
          max_write_bytes: wireNumber.optional(),
        }),
      }),
  ),
  exports: message(
    [],
    'exports and services, and where each begins',
    () => nothing,
    () => z.object({ exports: z.array(wireExport) }),
  ),
  catalog: message(
    [],
    'what the catalog says of the nodes that you may see, in pages: enough to show their descriptors while nobody can be asked',
    () => catalogRequest,
    () => catalogPage,
  ),
  lookup: message(
    ['node'],
    'the node called `name` in a directory, or at `path` below it',
    () => z.object({ name: wireName.optional(), path: wirePath.optional() }),
    () => wireNode.extend({ name: z.string(), bare: wireBare, dir: wireFreshness.optional() }),
  ),
  getattr: message(
    ['node', 'h'],
    'attributes of a node, or of what a handle shows',
    () => nothing,
    () => wireNode.partial({ node: true }),
  ),
  setattr: message(
    ['node', 'h'],
    'changes the attributes that are given',
    () =>
      z.object({
        perm: wireNumber.optional(),
        uid: wireNumber.optional(),
        gid: wireNumber.optional(),
        size: wireNumber.optional(),
        atime_ns: timeChange.optional(),
        mtime_ns: timeChange.optional(),
      }),
    () => wireNode.partial({ node: true }),
  ),
  readdirp: message(
    ['node'],
    'entries of a directory from `cookie` on (0: the beginning); with `plus`, attributes and nodes too',
    () =>
      z.object({ cookie: wireNumber.optional(), count: wireNumber.optional(), plus: z.boolean().optional() }),
    () =>
      z.object({
        entries: z.array(wireEntry),
        next: wireNumber,
        eof: z.boolean(),
        dir: wireFreshness.optional(),
      }),
  ),
  open: message(
    ['node'],
    'a handle; up to `inline` first bytes come with it; `closed`: they are the whole snapshot, and there is no handle',
    () => z.object({ ...openHow, inline: wireNumber.optional() }),
    () => opened,
  ),
  create: message(
    ['node'],
    'makes a file in a directory and opens it',
    () => z.object({ name: wireName, ...permissions, ...openHow }),
    () => opened.extend({ node: wireNumber }),
  ),
  tmpfile: message(
    ['node'],
    'makes and opens a file without a name, as O_TMPFILE of open(2); `link` gives it one',
    () => z.object({ ...permissions, ...openHow }),
    () => opened.extend({ node: wireNumber }),
  ),
  read: message(
    ['h'],
    'up to `count` bytes from `offset`; fewer at the end, or where one reply cannot hold more',
    () => z.object({ offset: wireNumber, count: wireNumber }),
    () => z.object({ data_b64: wireBase64.optional(), eof: z.boolean() }),
  ),
  write: message(
    ['h'],
    'takes all the bytes or fails; `flush` false, here as in the answer to an open: a flush would do nothing now. With `attr`, the attributes as they are then come as well. `traceparent` (W3C Trace Context) names what causes it, where calls are traced',
    () =>
      z.object({
        offset: wireNumber,
        data_b64: wireBase64.optional(),
        attr: z.boolean().optional(),
        traceparent: z.string().max(128).optional(),
      }),
    () => z.object({ count: wireNumber, flush: z.boolean().optional(), attr: wireAttributes.optional() }),
  ),
  flush: message(
    ['h'],
    'a duplicate of the descriptor was closed: reports what is left to report',
    () => nothing,
    () => nothing,
  ),
  fsync: message(
    ['h', 'node'],
    'returns when what was written is safe',
    () => z.object({ data_only: z.boolean().optional() }),
    () => nothing,
  ),
  seek: message(
    ['h'],
    'where the next `data` or `hole` begins, as lseek(2)',
    () => z.object({ offset: wireNumber, what: z.enum(['data', 'hole']) }),
    () => z.object({ offset: wireNumber }),
  ),
  allocate: message(
    ['h'],
    'reserves space, as fallocate(2)',
    () => z.object({ mode: wireNumber, offset: wireNumber, length: wireNumber }),
    () => nothing,
  ),
  await: message(
    ['h'],
    'answered once a stream has more than `offset` bytes, or a document would be another if it were opened anew; `changed` false: that will never be',
    () => z.object({ offset: wireNumber }),
    () => z.object({ changed: z.boolean() }),
  ),
  lock: message(
    ['h'],
    'an advisory lock on the whole file, as flock(2), known to all who use the tree through this server; EAGAIN where another holds one and `wait` is not set. It ends with the handle. Served to programs of the family alone',
    () => z.object({ kind: z.enum(['shared', 'exclusive', 'unlock']), wait: z.boolean().optional() }),
    () => nothing,
  ),
  close: message(
    ['h'],
    'gives the handle back; reports what a flush would, where nothing was flushed since the last write. `more`: further handles, of which nothing is reported',
    () => z.object({ more: z.array(wireNumber).max(MAX_CLOSED_TOGETHER).optional() }),
    () => nothing,
  ),
  truncate: message(
    ['node', 'h'],
    'sets the size',
    () => z.object({ size: wireNumber }),
    () => wireNode.partial({ node: true }),
  ),
  mkdir: message(
    ['node'],
    'makes a directory',
    () => z.object({ name: wireName, ...permissions }),
    () => wireNode,
  ),
  mknod: message(
    ['node'],
    'makes a pipe or socket, for the use of those who mount',
    () => z.object({ name: wireName, special: wireSpecial.extract(['pipe', 'socket']), ...permissions }),
    () => wireNode,
  ),
  unlink: message(
    ['node'],
    'removes a name that is not a directory',
    () => z.object({ name: wireName }),
    () => nothing,
  ),
  rmdir: message(
    ['node'],
    'removes a directory',
    () => z.object({ name: wireName }),
    () => nothing,
  ),
  rename: message(
    ['node'],
    'moves `name` to `to_name` in the directory `to_node`; `flags` as renameat2(2)',
    () => z.object({ name: wireName, to_node: wireNumber, to_name: wireName, flags: wireNumber.optional() }),
    () => nothing,
  ),
  link: message(
    ['node'],
    'a further name for `target_node`',
    () => z.object({ name: wireName, target_node: wireNumber }),
    () => wireNode,
  ),
  symlink: message(
    ['node'],
    'makes a symlink',
    () => z.object({ name: wireName, target: wirePath }),
    () => wireNode,
  ),
  readlink: message(
    ['node'],
    'where a symlink points',
    () => nothing,
    () => z.object({ target: z.string() }),
  ),
  access: message(
    ['node'],
    'fails unless the session may do what `mask` (4 read, 2 write, 1 execute) asks',
    () => z.object({ mask: wireNumber }),
    () => nothing,
  ),
  statfs: message(
    ['node'],
    'size and free space, in blocks',
    () => nothing,
    () =>
      z.object({
        block_size: wireNumber,
        blocks: wireUint64,
        blocks_free: wireUint64,
        blocks_available: wireUint64,
        files: wireUint64,
        files_free: wireUint64,
        name_max: wireNumber,
      }),
  ),
  getxattr: message(
    ['node'],
    'the value of an extended attribute',
    () => z.object({ name: wirePath }),
    () => z.object({ value_b64: wireBase64 }),
  ),
  setxattr: message(
    ['node'],
    'sets an extended attribute; `flags` as setxattr(2)',
    () => z.object({ name: wirePath, value_b64: wireBase64, flags: wireNumber.optional() }),
    () => nothing,
  ),
  listxattr: message(
    ['node'],
    'the names of the extended attributes',
    () => nothing,
    () => z.object({ names: z.array(z.string()) }),
  ),
  removexattr: message(
    ['node'],
    'removes an extended attribute',
    () => z.object({ name: wirePath }),
    () => nothing,
  ),
  cancel: message(
    [],
    'abandons the request with the tag `oldtag`, which is still answered itself; `found` false: it was over',
    () => z.object({ oldtag: wireNumber }),
    () => z.object({ found: z.boolean() }),
  ),
  forget: message(
    [],
    'these node numbers will not be used again',
    () => z.object({ nodes: z.array(wireNumber).max(100_000) }),
    () => nothing,
  ),
} as const satisfies Record<string, FsMessage>;

export type FsMessageName = keyof typeof FS_MESSAGES;
export type FsRequest<Name extends FsMessageName> = z.infer<(typeof FS_MESSAGES)[Name]['request']>;
export type FsReply<Name extends FsMessageName> = z.infer<(typeof FS_MESSAGES)[Name]['reply']>;
export type CatalogNews = z.infer<typeof catalogNews>;
export type WireExport = z.infer<typeof wireExport>;
export type WireEntry = z.infer<typeof wireEntry>;

const BY_TYPE = new Map<string, FsMessageName>(
  (Object.keys(FS_MESSAGES) as FsMessageName[]).map((name) => [`acheron.t_fs_${name}`, name]),
);

/** Which file request a type is, if it is one that we know. */
export function fsMessageOfType(type: string): FsMessageName | undefined {
  return BY_TYPE.get(type);
}

/** Messages that are pushed: they have no tag and are not answered. */
export const FS_EVENTS = {
  e_fs_inval: {
    about: 'what is known of a node is no longer true; `tree`: nor of anything below it',
    payload: z.object({
      node: wireNumber,
      what: z.enum(['attr', 'data', 'all']),
      tree: z.boolean().optional(),
      sync: wireNumber.optional(),
      own: z.boolean().optional(),
    }),
  },
  e_fs_synced: {
    about: 'from the client: nothing older than the `e_fs_inval` with this `sync` is shown any more',
    payload: z.object({ sync: wireNumber }),
  },
  e_fs_catalog: {
    about:
      'to who has asked for the catalog: it says something else of these nodes; what they no longer name is no longer shown',
    payload: z.object({ nodes: z.array(catalogNews) }),
  },
  e_going_away: {
    about:
      'to who says `moves`: this server stops, and serves until the client has gone to another, which it does within ' +
      '`within_ms` at a moment of its own',
    payload: z.object({ reason: z.string(), within_ms: wireNumber.optional() }),
  },
  e_fs_inval_dir: {
    about: 'a directory has other entries; `name` says which one, where it is just one',
    payload: z.object({ dir: wireNumber, name: z.string().optional(), own: z.boolean().optional() }),
  },
} as const;
