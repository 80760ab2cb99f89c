import type { NodeCredentials } from './node-changes.js';
import { newPublicId, newSecret } from './secrets.js';

export const newLeaseToken = (): string => `acheron_lease_${newPublicId(4)}_${newSecret()}`;

/** New proofs for a node; they are shown once. */
export function newCredentials(nodeId: string, leaseExpiresAtMs: number): NodeCredentials {
  const nodeSecret = `acheron_node_${newPublicId(4)}_${newSecret()}`;
  return { nodeId, nodeSecret, leaseToken: newLeaseToken(), leaseExpiresAtMs };
}
