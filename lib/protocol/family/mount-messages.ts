import { createHash } from 'node:crypto';
import * as z from 'zod';
import { message } from '../control/shapes.js';
import { runtimeStat, type RuntimeStat } from './runtime-dialect.js';

/**
 * Files by their paths, one request each, as the family's newest mounts and its GUI ask for them on the control channel. Each
 * path is looked up as the session of that moment sees it; nothing stays open.
 */

const MAX_PATH_CHARS = 4096;
const text = z
  .string()
  .min(1)
  .max(MAX_PATH_CHARS)
  .refine((value) => !value.includes('\0'), 'has a NUL');
const path = text.startsWith('/');
const offset = z.int().min(0).optional();
const attribute = text.max(255);
const atPath = z.object({ path });
const namedAt = atPath.extend({ name: attribute });

const node = z.object({
  id: z.int(),
  parent_id: z.int().nullable(),
  name: z.string(),
  path: z.string(),
  kind: z.enum(['synthetic_directory', 'synthetic_file']),
  mode: z.int(),
  writable: z.boolean(),
  size: z.int(),
  canonical_node_id: z.int(),
  content_mode: z.enum(['remote_read', 'remote_rw']).nullable(),
});
export type MountGraphNode = z.infer<typeof node>;

export const MOUNT_MESSAGES = {
  mount_attach: message(
    'session',
    'what is at a path, on the way to it, and below it down to `depth` (1 where it is not said)',
    () => z.object({ path: path.optional(), depth: z.int().min(0).optional() }),
    () =>
      z.object({
        mount_session_id: z.string(),
        graph_generation: z.int(),
        root_node_id: z.int(),
        nodes: z.array(node),
        sources: z.array(z.never()),
      }),
  ),
  mount_file_read: message(
    'session',
    'a part of a file',
    () => atPath.extend({ offset, length: z.int().min(0).optional() }),
    () => z.object({ path, offset: z.int(), n: z.int(), eof: z.boolean(), data_b64: z.string() }),
  ),
  mount_file_write: message(
    'session',
    'writes into a file, which is made where there is none, and gives it a size with `truncate_to_size`; answered when all of it is done',
    () => atPath.extend({ offset, data_b64: z.base64(), truncate_to_size: offset }),
    () => z.object({ path, offset: z.int(), n: z.int() }),
  ),
  mount_path_readlink: message(
    'session',
    'where a symlink points',
    () => atPath,
    () => z.object({ path, target: z.string() }),
  ),
  mount_path_mkdir: message(
    'session',
    'makes a directory',
    () => atPath,
    () => atPath,
  ),
  mount_path_unlink: message(
    'session',
    'removes a name that is not a directory',
    () => atPath,
    () => atPath,
  ),
  mount_path_rmdir: message(
    'session',
    'removes a directory',
    () => atPath,
    () => atPath,
  ),
  mount_path_rename: message(
    'session',
    'moves a name',
    () => z.object({ old_path: path, new_path: path }),
    () => z.object({ old_path: path, new_path: path }),
  ),
  mount_path_symlink: message(
    'session',
    'makes a symlink',
    () => z.object({ target: text, link_path: path }),
    () => z.object({ target: z.string(), link_path: path }),
  ),
  mount_path_setattr: message(
    'session',
    'changes the permissions',
    () => atPath.extend({ mode: z.int().min(0).max(0o7777).optional() }),
    () => atPath,
  ),
  mount_path_getxattr: message(
    'session',
    'the value of an extended attribute',
    () => namedAt,
    () => namedAt.extend({ value_b64: z.string() }),
  ),
  mount_path_setxattr: message(
    'session',
    'sets an extended attribute',
    () => namedAt.extend({ value_b64: z.base64(), flags: z.int().min(0).optional() }),
    () => namedAt,
  ),
  mount_path_listxattr: message(
    'session',
    'the names of the extended attributes',
    () => atPath,
    () => z.object({ path, names: z.array(z.string()) }),
  ),
  mount_path_removexattr: message(
    'session',
    'removes an extended attribute',
    () => namedAt,
    () => namedAt,
  ),
} as const;

export type MountName = keyof typeof MOUNT_MESSAGES;
export type MountRequest<Name extends MountName> = z.infer<(typeof MOUNT_MESSAGES)[Name]['request']>;
export type MountReply<Name extends MountName> = z.infer<(typeof MOUNT_MESSAGES)[Name]['reply']>;

/** The same messages by the names that they had before, `control.mount_attach_v2` and so on. */
export const OLDER_MOUNT_TYPES = Object.keys(MOUNT_MESSAGES).map((name): [string, string] => [
  `control.${name}_v2`,
  `control.${name}`,
]);

/** A path has the same number in each answer, by which what is below it is found. */
const idOf = (at: string): number => createHash('sha256').update(at).digest().readUIntBE(0, 6);

/** What is at a path, as `mount_attach` tells of it. Links are told of as what they lead to. */
export function mountGraphNode(names: readonly string[], stat: RuntimeStat): MountGraphNode {
  const isDir = stat.kind === 'dir';
  const { id: canonical, mode, size, writable } = runtimeStat(stat);
  return {
    id: idOf(`/${names.join('/')}`),
    parent_id: names.length === 0 ? null : idOf(`/${names.slice(0, -1).join('/')}`),
    name: names.at(-1) ?? '/',
    path: `/${names.join('/')}`,
    kind: isDir ? 'synthetic_directory' : 'synthetic_file',
    ...{ mode, writable, size, canonical_node_id: canonical },
    content_mode: isDir ? null : writable ? 'remote_rw' : 'remote_read',
  };
}

/** The answer to `mount_attach`: those on the way come before what is below them. */
export const mountGraph = (sessionId: string, nodes: MountGraphNode[]): MountReply<'mount_attach'> => ({
  ...{ mount_session_id: sessionId, graph_generation: 1, root_node_id: idOf('/') },
  nodes,
  sources: [],
});
