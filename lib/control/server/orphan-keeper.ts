import type { Clock, Log } from '../../core/index.js';
import type { NodeRecord } from '../store/node-record.js';
import type { Replicas } from '../store/replica/replicas.js';
import type { ControlStore } from '../store/store.js';

export interface OrphanOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Nodes that were connected have so long to come to another replica. */
  readonly graceMs: number;
}

/**
 * Nodes whose replica is gone. They come to another one by themselves; one that has not in time is offline, and one of the replicas that
 * are left says so.
 */
export class OrphanKeeper {
  readonly #store: Pick<ControlStore, 'nodes' | 'later'>;
  readonly #replicas: Replicas;
  readonly #options: OrphanOptions;
  /** How to stop waiting, by node. */
  readonly #waiting = new Map<string, () => void>();
  readonly #stopListening: () => void;

  constructor(store: Pick<ControlStore, 'nodes' | 'later'>, replicas: Replicas, options: OrphanOptions) {
    this.#store = store;
    this.#replicas = replicas;
    this.#options = options;
    this.#stopListening = replicas.membership.changed.on(() => this.review());
  }

  /** Looks for them; to be called once this replica takes part, and by itself whenever another comes or goes. */
  review(): void {
    for (const node of this.#store.nodes.list())
      if (this.#isOrphan(node) && !this.#waiting.has(node.nodeId)) this.#wait(node);
  }

  close(): void {
    this.#stopListening();
    for (const stop of this.#waiting.values()) stop();
    this.#waiting.clear();
  }

  #wait({ nodeId, holder, leaseTtlMs }: NodeRecord): void {
    const { clock, graceMs } = this.#options;
    // One that never stays connected has its lease; how far that was nobody knows any more.
    const ms = holder === null ? (leaseTtlMs ?? 0) : graceMs;
    this.#waiting.set(
      nodeId,
      clock.after(Math.max(1, ms), () => {
        this.#waiting.delete(nodeId);
        const node = this.#store.nodes.get(nodeId);
        if (node === undefined || !this.#isOrphan(node)) return;
        if (this.#replicas.looksAfter(nodeId)) this.#turnOffline(node);
        else this.#wait(node);
      }),
    );
  }

  #turnOffline({ nodeId, replica }: NodeRecord): void {
    const { nodes } = this.#store;
    this.#options.log.info('a node did not come back after its replica was gone', {
      node_id: nodeId,
      replica,
    });
    this.#store.later(() => {
      if (nodes.get(nodeId)?.replica === replica) nodes.setOffline(nodeId, 'replica lost');
    });
  }

  #isOrphan({ online, leaseExpiresAtMs, replica }: NodeRecord): boolean {
    if (!online || leaseExpiresAtMs === null) return false;
    const { membership } = this.#replicas;
    return replica !== membership.selfId && (replica === null || membership.member(replica) === undefined);
  }
}
