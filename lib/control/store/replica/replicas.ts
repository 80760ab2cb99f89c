import type { Member, Membership } from '../../../cluster/index.js';
import { RelayCounts } from '../../relay-counts.js';
import type { Nodes } from '../nodes.js';
import type { Replica } from './replica.js';

/** The other control planes over the same log, as far as their neighbours have to do with them. */
export class Replicas {
  readonly membership: Membership;
  /** The same at all of them, and nowhere else: by it they know each other. */
  readonly relayKey: Buffer;
  readonly replica: Replica;
  readonly relayCounts = new RelayCounts();
  readonly #nodes: Nodes;

  constructor(replica: Replica, { nodes, relayKey }: { nodes: Nodes; relayKey: Buffer }) {
    this.replica = replica;
    this.membership = replica.membership;
    this.relayKey = relayKey;
    this.#nodes = nodes;
  }

  /** The other one, alive, that has the node's connection; undefined: this one, or nobody. */
  holderOf(nodeId: string): Member | undefined {
    const id = this.#nodes.get(nodeId)?.replica;
    return id == null || id === this.membership.selfId ? undefined : this.membership.member(id);
  }

  /**
   * Where the catalog names a replica of which this one has not heard, as one that has just begun: answers whether it is there. Undefined
   * where it names none, or one that is known.
   */
  findHolder(nodeId: string): Promise<boolean> | undefined {
    const { replica: id, online } = this.#nodes.get(nodeId) ?? {};
    const { membership } = this;
    if (id == null || online !== true || id === membership.selfId || membership.member(id) !== undefined)
      return undefined;
    return membership.renewAfterThis().then(() => membership.member(id) !== undefined);
  }

  /** Whether this one is to turn the node offline: it is here, or where it was is gone and nobody is before us. */
  looksAfter(nodeId: string): boolean {
    const id = this.#nodes.get(nodeId)?.replica;
    if (id === this.membership.selfId) return true;
    if (id != null && this.membership.member(id) !== undefined) return false;
    return this.membership.members()[0]?.id === this.membership.selfId;
  }
}
