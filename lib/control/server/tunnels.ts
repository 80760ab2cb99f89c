import { Emitter, type Log } from '../../core/index.js';
import { CLOSE_GOING_AWAY, type CloseReason, type Transport } from '../../transport/index.js';
import type { GoingAway } from './drain.js';
import type { Nodes } from '../store/nodes.js';

/** A node's file connection, proved and handed over; its `acheron.t_fs_hello` is the first message it delivers. */
export interface NodeTunnel {
  readonly nodeId: string;
  readonly epoch: number;
  readonly transport: Transport;
  /** The node has several ways to us: it ends its other tunnel itself, once nothing is under way over it. */
  readonly moves: boolean;
}

/** A tunnel that its node has left ends at the latest then: a little later than a node ends it by itself. */
const LEFT_MS = 65_000;

/** The tunnels that nodes keep to us: one for each, of its current epoch. */
export class Tunnels {
  readonly opened = new Emitter<NodeTunnel>();
  readonly closed = new Emitter<NodeTunnel>();
  readonly #tunnels = new Map<string, NodeTunnel>();
  /** Since when nodes that had a tunnel have none. */
  readonly #lostAt = new Map<string, number>();
  /** Of nodes that have gone to another control plane; they close them themselves. */
  readonly #left = new WeakSet<NodeTunnel>();
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
    const { nodeId, transport, moves } = tunnel;
    if (!moves) this.cut(nodeId, 'A newer tunnel of this node took over.');
    this.#tunnels.set(nodeId, tunnel);
    const openedAt = performance.now();
    transport.onClose(({ code, reason }) => {
      // Whose tunnel was cut, or replaced, did not lose it.
      if (this.#tunnels.get(nodeId) === tunnel) {
        this.#tunnels.delete(nodeId);
        if (!this.#left.has(tunnel)) this.#noteLoss(nodeId, { code, reason, sinceMs: openedAt });
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

  /** The node is connected to another control plane: it ends this tunnel once nothing is under way over it, or else we do. */
  leave(nodeId: string): void {
    const tunnel = this.#tunnels.get(nodeId);
    if (tunnel === undefined || this.#left.has(tunnel)) return;
    const reason = 'The node is connected to another replica.';
    if (!tunnel.moves) {
      this.cut(nodeId, reason);
      return;
    }
    this.#left.add(tunnel);
    const { transport } = tunnel;
    const bound = setTimeout(() => transport.close(1008, reason), LEFT_MS).unref();
    transport.onClose(() => clearTimeout(bound));
  }

  /** Whether this is the epoch that counts. */
  isCurrent(nodeId: string, epoch: number): boolean {
    return this.#nodes.get(nodeId)?.epoch === epoch;
  }

  /** This control plane stops: the tunnels of nodes that go to another one are waited for, until they close them. */
  goAway({ waitFor }: GoingAway, moves: (nodeId: string) => boolean): void {
    for (const tunnel of this.#tunnels.values())
      if (this.#left.has(tunnel) || moves(tunnel.nodeId))
        waitFor(new Promise<void>((resolve) => tunnel.transport.onClose(() => resolve())));
  }

  close(): void {
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    for (const { transport } of tunnels) transport.close(CLOSE_GOING_AWAY, 'The control plane stops.');
  }

  #noteLoss(nodeId: string, { code, reason, sinceMs }: CloseReason & { readonly sinceMs: number }): void {
    const now = performance.now();
    this.#lostAt.set(nodeId, now);
    const lasted_ms = Math.round(now - sinceMs);
    this.#log.warn("a node's connection was lost", { node_id: nodeId, code, reason, lasted_ms });
  }
}
