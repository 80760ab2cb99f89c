import { FsError } from '../../core/index.js';

/** Which process of the same node came after this one. */
export interface Successor {
  readonly instance_id: string;
  readonly address: string;
  readonly connected_at_ms: number;
}

/** Why a node ends whose place another process took. */
export function supersededError(nodeId: string, successor: Successor | undefined): FsError {
  const who =
    successor === undefined
      ? 'another process'
      : `another process (${successor.instance_id} at ${successor.address}, since ${new Date(successor.connected_at_ms).toISOString()})`;
  return new FsError('ESTALE', `Node "${nodeId}" was taken over by ${who}; this one stops.`, {
    hint: 'Run one process per node: stop the other one, or pair this one under a name of its own.',
  });
}
