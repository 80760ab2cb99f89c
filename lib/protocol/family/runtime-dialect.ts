import * as z from 'zod';
import { FsError, type JsonObject } from '../../core/index.js';
import { S_IFDIR, S_IFLNK, S_IFREG, type ErrnoCode } from '../../linux/index.js';
import { ProtocolFault, type RequestReference } from '../protocol-fault.js';

/**
 * Files as the family's shell client asks for them on the control channel's own socket: fids that are walked to a path,
 * opened, read, written and clunked, as in 9P. Everything stands at the root of the frame, answers in `payload`.
 */

const wireNumber = z.int().min(0);
const MAX_NAMES = 64;
const MAX_NAME_CHARS = 1024;

const request = z.object({
  type: z.string(),
  tag: wireNumber.optional(),
  fid: wireNumber.optional(),
  newfid: wireNumber.optional(),
  /** Of `t_walk`: the names on the way, from where `fid` is. */
  path: z.array(z.string().max(MAX_NAME_CHARS)).max(MAX_NAMES).optional(),
  mode: z.enum(['r', 'w', 'rw']).optional(),
  offset: wireNumber.optional(),
  count: wireNumber.optional(),
  data_b64: z.base64().optional(),
  correlation_id: z.string().max(MAX_NAME_CHARS).optional(),
});
export type RuntimeRequest = z.infer<typeof request>;

/** What each needs, besides `fid`. */
const NEEDS = new Map<string, readonly (keyof RuntimeRequest)[]>([
  ['acheron.t_attach', []],
  ['acheron.t_walk', ['newfid']],
  ['acheron.t_open', []],
  ['acheron.t_read', []],
  ['acheron.t_write', ['data_b64']],
  ['acheron.t_stat', []],
  ['acheron.t_clunk', []],
  ['acheron.t_flush', []],
]);

export function isRuntimeType(type: string): boolean {
  return NEEDS.has(type);
}

/** A request of such a type. @throws ProtocolFault `invalid_payload`, `missing_field` */
export function runtimeRequestFrom(frame: JsonObject, reference: RequestReference): RuntimeRequest {
  const parsed = request.safeParse(frame);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    const where = first?.path.map(String).join('.') ?? '';
    throw new ProtocolFault('invalid_payload', `The frame is not valid at ${where}.`, { request: reference });
  }
  for (const field of NEEDS.get(parsed.data.type) ?? [])
    if (parsed.data[field] === undefined)
      throw new ProtocolFault('missing_field', `The frame has no ${field}.`, { request: reference });
  return parsed.data;
}

/** The answer to a request: `r_` for `t_`. */
export function runtimeReply({ type, tag, fid }: RuntimeRequest, payload: object): object {
  return {
    channel: 'acheron',
    type: type.replace('acheron.t_', 'acheron.r_'),
    ...(tag === undefined ? {} : { tag }),
    ok: true,
    ...(fid === undefined ? {} : { fid }),
    payload,
  };
}

/** How the family's mounts call what is wrong with a file, where they know it by another code than we say. */
const CODES = new Map<ErrnoCode, string>([
  ['ENOENT', 'enoent'],
  ['ENOTDIR', 'enotdir'],
  ['EISDIR', 'eisdir'],
  ['EEXIST', 'eexist'],
  ['EROFS', 'erofs'],
  ['ENOSYS', 'unsupported'],
  ['EOPNOTSUPP', 'unsupported'],
]);

/** Their code for what a file was refused for, where they have one. */
export const fileCodeOf = (thrown: unknown): string | undefined =>
  FsError.is(thrown) ? CODES.get(thrown.code) : undefined;

/** What a request failed of, by their code; ours is `also`. */
export function runtimeFault(thrown: unknown): ProtocolFault {
  const fault = ProtocolFault.from(thrown);
  const theirs = fileCodeOf(thrown);
  if (theirs === undefined) return fault;
  return new ProtocolFault(theirs, fault.message, { details: { also: fault.code }, cause: thrown });
}

const TYPES = { file: S_IFREG, dir: S_IFDIR, symlink: S_IFLNK } as const;

/** What `t_stat` tells of a node. */
export interface RuntimeStat {
  readonly name: string;
  readonly kind: keyof typeof TYPES;
  readonly size: number;
  /** The permissions. */
  readonly perm: number;
  readonly mtimeMs: number;
  readonly ino: bigint;
}

/** The payload of `r_stat`: in `stat` as the shell client reads it, and beside it as the mount does, whose `mode` is that of stat(2). */
export function runtimeStat({ name, kind, size, perm, mtimeMs, ino }: RuntimeStat): {
  readonly id: number;
  readonly mode: number;
  readonly size: number;
  readonly writable: boolean;
  readonly stat: object;
} {
  const writable = (perm & 0o200) !== 0;
  const qid = qidOf(ino, kind);
  const both = { name, kind, size, writable };
  return {
    ...both,
    id: qid.path,
    mode: TYPES[kind] | (perm & 0o7777),
    stat: { ...both, mode: writable ? 'rw' : 'r', perm, mtime_ms: mtimeMs, qid },
  };
}

/** What a fid stands for. */
export function qidOf(ino: bigint, kind: string): { readonly path: number; readonly type: string } {
  return { path: Number(BigInt.asUintN(53, ino)), type: kind };
}
