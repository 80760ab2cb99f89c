import type { ErrnoCode } from '../linux/index.js';

/**
 * What `error.code` may say on the wire. Peers of any age must be able to meet a code that they do not
 * know, so a reader takes any text; a writer takes one of these.
 */
export const PROTOCOL_CODES = [
  'provider_auth_failed',
  'forbidden',
  'missing_field',
  'invalid_envelope',
  'invalid_payload',
  'unsupported_type',
  'unsupported_protocol',
  'handshake_required',
  'frame_too_large',
  'session_busy',
  'not_found',
  'conflict',
  'rate_limited',
  'stale_epoch',
  'compacted',
  'lagged',
  'no_space',
  'timeout',
  'unavailable',
  'internal',
  ...([
    'protocol_mismatch',
    'node_not_found',
    'node_auth_failed',
    'agent_not_found',
    'pending_join_not_found',
    'invite_not_found',
    'invite_expired',
    'invite_redeemed',
    'project_not_found',
    'project_auth_failed',
    'project_protected',
    'mount_not_found',
    'mount_conflict',
  ] as const),
] as const;

export type ProtocolCode = (typeof PROTOCOL_CODES)[number];

/** Each code of the protocol, the errno that it is to whoever uses files, and the errnos that are said by it. */
const TABLE: Readonly<Record<ProtocolCode, readonly [errno: ErrnoCode, saidOf: readonly ErrnoCode[]]>> = {
  provider_auth_failed: ['EACCES', []],
  forbidden: ['EACCES', ['EACCES', 'EPERM']],
  missing_field: ['EINVAL', []],
  invalid_envelope: ['EINVAL', []],
  invalid_payload: ['EINVAL', ['EINVAL']],
  unsupported_type: ['ENOSYS', []],
  unsupported_protocol: ['EPROTO', ['EPROTO']],
  handshake_required: ['EINVAL', []],
  frame_too_large: ['E2BIG', ['E2BIG', 'EFBIG']],
  session_busy: ['EBUSY', ['EBUSY']],
  not_found: ['ENOENT', ['ENOENT']],
  conflict: ['EEXIST', ['EEXIST']],
  rate_limited: ['EBUSY', []],
  stale_epoch: ['ESTALE', []],
  compacted: ['ESTALE', []],
  lagged: ['ESTALE', []],
  no_space: ['ENOSPC', ['ENOSPC', 'EDQUOT']],
  timeout: ['ETIMEDOUT', ['ETIMEDOUT']],
  unavailable: ['EHOSTDOWN', ['EHOSTDOWN']],
  internal: ['EIO', []],
  // As programs of the family call them, to whom they are said in place of the above.
  protocol_mismatch: ['EPROTO', []],
  node_not_found: ['ENOENT', []],
  node_auth_failed: ['EACCES', []],
  agent_not_found: ['ENOENT', []],
  pending_join_not_found: ['ENOENT', []],
  invite_not_found: ['EACCES', []],
  invite_expired: ['EACCES', []],
  invite_redeemed: ['EACCES', []],
  project_not_found: ['ENOENT', []],
  project_auth_failed: ['EACCES', []],
  project_protected: ['EPERM', []],
  mount_not_found: ['ENOENT', []],
  mount_conflict: ['EEXIST', []],
};

const ROWS = Object.entries(TABLE) as [ProtocolCode, (typeof TABLE)[ProtocolCode]][];
const ERRNO_OF_CODE = new Map<string, ErrnoCode>(ROWS.map(([code, [errno]]) => [code, errno]));
const CODE_OF_ERRNO = new Map(
  ROWS.flatMap(([code, [, saidOf]]) => saidOf.map((errno) => [errno, code] as const)),
);

/** What a code is to whoever uses files; a code that we do not know, of a newer peer, is EIO. */
export function errnoFromCode(code: string): ErrnoCode {
  return ERRNO_OF_CODE.get(code) ?? 'EIO';
}

/** How the protocol says an errno; `internal` where it has no word of its own for it. */
export function codeFromErrno(errno: ErrnoCode): ProtocolCode {
  return CODE_OF_ERRNO.get(errno) ?? 'internal';
}
