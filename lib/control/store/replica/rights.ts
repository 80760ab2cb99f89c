import type { Row, SqlValue } from '../rows.js';
import type { AppliedChange, AppliedRows } from './row-changes.js';

/** Of a session: whether it goes on, and as what. Not when it was used. */
const OF_A_SESSION = ['closed_at_ms', 'project_id', 'project_proof', 'token_hash', 'secret_hash', 'max_role'];

/**
 * Whether an entry of the log takes, or may take, a right from somebody. Such a change is acknowledged once no replica serves what was
 * before it (SPEC 14):
 * - tokens: rotated, revoked, or otherwise another one than before;
 * - projects: their policy, their nodes, their token; made, deleted;
 * - sessions: closed, attached to a project, forgotten;
 * - nodes: deleted; the secret of one.
 *
 * What only gives is acknowledged at once: a new token, session or node. A replica that does not know it yet looks at the head of the
 * log before it refuses (`ControlStore.findAnywhere`). Invites and requests to join are good for nothing but a change, which is decided
 * at the head of the log. What a service says of who may use it is held by its node, at once.
 */
export function takesRights(rows: AppliedRows): boolean {
  return (
    rows.of('projects').length > 0 ||
    rows.of('tokens').some(({ before }) => before !== undefined) ||
    rows.of('sessions').some(isSessionChange) ||
    rows.of('nodes').some((change) => isChanged(change, ['secret_hash']))
  );
}

/** Whether a session that was there is another one now, as far as what it may do goes. */
export function isSessionChange(change: AppliedChange): boolean {
  return change.before !== undefined && isChanged(change, OF_A_SESSION);
}

function isChanged({ before, row }: AppliedChange, columns: readonly string[]): boolean {
  if (before === undefined || row === null) return row === null;
  return columns.some((column) => !same(before, row, column));
}

function same(one: Row, other: Row, column: string): boolean {
  const [a, b] = [textOf(one[column]), textOf(other[column])];
  return a === b;
}

const textOf = (value: SqlValue | ArrayBuffer | undefined): SqlValue =>
  value === undefined || value === null || typeof value === 'string' || typeof value === 'number'
    ? (value ?? null)
    : Buffer.from(value as Buffer).toString('hex');
