import type { Clock, Log } from '../../core/index.js';
import type { NodeRecord } from '../store/node-record.js';
import type { ControlStore } from '../store/store.js';

type LeaseStore = Pick<ControlStore, 'nodes' | 'commit' | 'later' | 'replicas'>;

const LONGEST_WAIT_MS = 60_000;

/** Turns nodes offline when their lease runs out, or when their connection was lost and stays so. */
export class LeaseKeeper {
  readonly #store: LeaseStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #grace = new Map<string, () => void>();
  /** Nodes that keep their lease by calls. */
  readonly #callers = new Set<string>();
  readonly #stopListening: () => void;
  #armedForMs = Infinity;
  #disarm: (() => void) | undefined;
  #closed = false;

  constructor(store: LeaseStore, clock: Clock, log: Log) {
    const { nodes } = store;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#stopListening = nodes.changed.on((nodeId) => {
      const expires = nodes.get(nodeId)?.leaseExpiresAtMs;
      if (expires === undefined) this.#callers.delete(nodeId);
      if (expires != null && expires < this.#armedForMs) this.#arm(expires);
    });
    this.#expire();
  }

  /** The node's connection is gone: offline after `graceMs`, unless `returned` is called before. */
  lost(nodeId: string, graceMs: number): void {
    this.returned(nodeId);
    if (this.#callers.has(nodeId)) return;
    this.#grace.set(
      nodeId,
      this.#clock.after(graceMs, () => {
        const ended = this.#grace.get(nodeId);
        if (!this.#closed) this.#turnOffline(nodeId, () => this.#grace.get(nodeId) === ended);
      }),
    );
  }

  /** Unless it came back while others were written: those that were lost together share the wait for the disk. */
  #turnOffline(nodeId: string, isLost: () => boolean): void {
    const { nodes } = this.#store;
    this.#store
      .commit(() => {
        if (isLost()) nodes.setOffline(nodeId, 'connection lost');
      })
      .catch((thrown: unknown) => this.#complain(thrown))
      .finally(() => {
        if (isLost()) this.#grace.delete(nodeId);
      });
  }

  /** The node keeps its lease by calls, each of which may have a connection of its own: it is there as long as its lease. */
  keepByCalls(nodeId: string): void {
    this.#callers.add(nodeId);
    this.returned(nodeId);
  }

  /** The node has a connection, which says whether it is there. */
  keepByConnection(nodeId: string): void {
    this.#callers.delete(nodeId);
  }

  isCaller(nodeId: string): boolean {
    return this.#callers.has(nodeId);
  }

  returned(nodeId: string): void {
    this.#grace.get(nodeId)?.();
    this.#grace.delete(nodeId);
  }

  close(): void {
    this.#closed = true;
    this.#disarm?.();
    this.#stopListening();
    for (const cancel of this.#grace.values()) cancel();
  }

  #expire(): void {
    if (this.#closed) return;
    const { nodes, replicas } = this.#store;
    const isOurs = ({ replica }: NodeRecord): boolean =>
      replicas === undefined || replica === replicas.membership.selfId;
    const { expired, next } = nodes.overdue(isOurs);
    if (expired.length > 0)
      this.#store.later(() => {
        for (const nodeId of expired) if (nodes.isOverdue(nodeId)) nodes.setOffline(nodeId, 'lease expired');
      });
    this.#arm(next ?? Infinity);
  }

  #arm(atMs: number): void {
    if (this.#closed) return;
    this.#disarm?.();
    const now = this.#clock.now();
    this.#armedForMs = Math.min(atMs, now + LONGEST_WAIT_MS);
    this.#disarm = this.#clock.after(Math.max(1, this.#armedForMs - now), () => this.#expire());
  }

  #complain(thrown: unknown): void {
    if (!this.#closed) this.#log.error('a lease could not be ended', { error: thrown });
  }
}
