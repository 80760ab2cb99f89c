import type { NodeRecord } from './node-record.js';

type Seen = Pick<NodeRecord, 'lastSeenMs' | 'leaseExpiresAtMs'>;

/** When nodes were seen last, where that is not written each time: of several replicas, the one that a node is at knows. */
export class SoftLeases {
  readonly #seen = new Map<string, Seen>();

  seen(nodeId: string, seen: Seen): void {
    this.#seen.set(nodeId, seen);
  }

  /** The record with what is known since it was written. */
  over(record: NodeRecord): NodeRecord {
    const seen = this.#seen.get(record.nodeId);
    if (seen === undefined) return record;
    if (seen.lastSeenMs > record.lastSeenMs) return { ...record, ...seen };
    this.#seen.delete(record.nodeId);
    return record;
  }
}
