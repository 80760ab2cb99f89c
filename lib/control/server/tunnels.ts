import { Emitter, type Log } from '../../core/index.js';
import type { Transport } from '../../transport/index.js';
import type { Nodes } from '../store/nodes.js';

/** A node's file connection, proved and handed over; its `acheron.t_fs_hello` is the first message it delivers. */
export interface NodeTunnel {
  readonly nodeId: string;
  readonly epoch: number;
  readonly transport: Transport;
}

/** The tunnels that nodes keep to us: one for each, of its current epoch. */
export class Tunnels {
  readonly opened = new Emitter<NodeTunnel>();
  readonly closed = new Emitter<NodeTunnel>();
  readonly #tunnels = new Map<string, NodeTunnel>();
  /** Since when nodes that had a tunnel have none. */
  readonly #lostAt = new Map<string, number>();
  readonly #nodes: Nodes;
  readonly #log: Log;

  constructor(nodes: Nodes, log: Log) {
    this.#nodes = nodes;
    this.#log = log;
    nodes.changed.on((nodeId) => {
      if (nodes.get(nodeId) !== undefined) return;
      this.cut(nodeId, 'The node was deleted.');
      this.#lostAt.delete(nodeId);
    });
  }

  get(nodeId: string): NodeTunnel | undefined {
    return this.#tunnels.get(nodeId);
  }

  get size(): number {
    return this.#tunnels.size;
  }

  open(tunnel: NodeTunnel): void {
    const { nodeId, transport } = tunnel;
    this.cut(nodeId, 'A newer tunnel of this node took over.');
    this.#tunnels.set(nodeId, tunnel);
    const openedAt = performance.now();
    transport.onClose(({ code, reason }) => {
      // Whose tunnel was cut, or replaced, did not lose it.
      if (this.#tunnels.get(nodeId) === tunnel) {
        this.#tunnels.delete(nodeId);
        this.#lostAt.set(nodeId, performance.now());
        const lasted_ms = Math.round(performance.now() - openedAt);
        this.#log.warn("a node's connection was lost", { node_id: nodeId, code, reason, lasted_ms });
      }
      this.closed.emit(tunnel);
    });
    const lostAt = this.#lostAt.get(nodeId);
    this.#lostAt.delete(nodeId);
    if (lostAt === undefined)
      this.#log.debug('a node opened its tunnel', { node_id: nodeId, epoch: tunnel.epoch });
    else
      this.#log.warn("a node's connection is back", {
        node_id: nodeId,
        away_ms: Math.round(performance.now() - lostAt),
      });
    this.opened.emit(tunnel);
  }

  cut(nodeId: string, reason: string): void {
    const tunnel = this.#tunnels.get(nodeId);
    this.#tunnels.delete(nodeId);
    tunnel?.transport.close(1008, reason);
  }

  /** Whether this is the epoch that counts. */
  isCurrent(nodeId: string, epoch: number): boolean {
    return this.#nodes.get(nodeId)?.epoch === epoch;
  }

  close(): void {
    for (const nodeId of [...this.#tunnels.keys()]) this.cut(nodeId, 'The control plane stops.');
  }
}
