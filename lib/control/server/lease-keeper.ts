import type { Clock, Log } from '../../core/index.js';
import type { Nodes } from '../store/nodes.js';

const LONGEST_WAIT_MS = 60_000;

/** Turns nodes offline when their lease runs out, or when their connection was lost and stays so. */
export class LeaseKeeper {
  readonly #nodes: Nodes;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #grace = new Map<string, () => void>();
  readonly #stopListening: () => void;
  #armedForMs = Infinity;
  #disarm: (() => void) | undefined;
  #closed = false;

  constructor(nodes: Nodes, clock: Clock, log: Log) {
    this.#nodes = nodes;
    this.#clock = clock;
    this.#log = log;
    this.#stopListening = nodes.changed.on((nodeId) => {
      const expires = nodes.get(nodeId)?.leaseExpiresAtMs;
      if (expires != null && expires < this.#armedForMs) this.#arm(expires);
    });
    this.#expire();
  }

  /** The node's connection is gone: offline after `graceMs`, unless `returned` is called before. */
  lost(nodeId: string, graceMs: number): void {
    this.returned(nodeId);
    this.#grace.set(
      nodeId,
      this.#clock.after(graceMs, () => {
        this.#grace.delete(nodeId);
        if (!this.#closed) this.#guard(() => this.#nodes.setOffline(nodeId, 'connection lost'));
      }),
    );
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
    let next: number | undefined;
    this.#guard(() => {
      next = this.#nodes.expireLeases();
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

  #guard(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#log.error('a lease could not be ended', { error: thrown });
    }
  }
}
