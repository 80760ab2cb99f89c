import type { Row, SqlValue } from '../rows.js';
import type { AppliedChange, AppliedRows } from './row-changes.js';

/** Of a session: whether it goes on, and as what. Not when it was used. */
const OF_A_SESSION = ['closed_at_ms', 'project_id', 'project_proof', 'token_hash', 'secret_hash', 'max_role'];

/**
 * Whether an entry of the log changes who may do what. Such a change is acknowledged once no replica serves what was before it (SPEC 14):
 * - tokens: made, rotated, revoked;
 * - projects: their policy, their nodes, their token; made, deleted;
 * - sessions: closed, attached to a project, forgotten; a new one takes nothing from anybody;
 * - invites and requests to join: made, used, approved, denied, lapsed;
 * - nodes: joined, deleted; the secret of one.
 * What a service says of who may use it is not among them: its node holds that by itself, at once.
 */
export function changesRights(rows: AppliedRows): boolean {
  return (
    ['tokens', 'projects', 'invites', 'join_requests'].some((table) => rows.of(table).length > 0) ||
    rows.of('sessions').some(isSessionChange) ||
    rows.of('nodes').some((change) => change.before === undefined || isChanged(change, ['secret_hash']))
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
