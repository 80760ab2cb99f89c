import { networkOf } from '../../core/index.js';
import type { Nodes } from '../store/nodes.js';

/** From where each node came last: behind one address there may be thousands, which all come at once when they can. */
export class NodeHomes {
  readonly #networkOf = new Map<string, string>();
  readonly #nodesAt = new Map<string, number>();

  constructor(nodes: Nodes) {
    for (const { nodeId, holder } of nodes.list()) if (holder !== null) this.note(nodeId, holder.address);
    nodes.changed.on((nodeId) => {
      if (nodes.get(nodeId) === undefined) this.#forget(nodeId);
    });
  }

  /** The node has proved itself, or joined, from there. */
  note(nodeId: string, address: string): void {
    const network = networkOf(address);
    if (this.#networkOf.get(nodeId) === network) return;
    this.#forget(nodeId);
    this.#networkOf.set(nodeId, network);
    this.#nodesAt.set(network, this.at(network) + 1);
  }

  /** How many nodes there are. */
  get size(): number {
    return this.#networkOf.size;
  }

  /** How many of them are at this network. */
  at(network: string): number {
    return this.#nodesAt.get(network) ?? 0;
  }

  #forget(nodeId: string): void {
    const network = this.#networkOf.get(nodeId);
    if (network === undefined) return;
    this.#networkOf.delete(nodeId);
    const left = this.at(network) - 1;
    if (left > 0) this.#nodesAt.set(network, left);
    else this.#nodesAt.delete(network);
  }
}
