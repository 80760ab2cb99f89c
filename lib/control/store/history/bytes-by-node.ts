import type { ControlDatabase } from '../database.js';

/** How much is kept of each node, and of all. What a transaction that is rolled back counted is taken back. */
export class BytesByNode {
  readonly #db: ControlDatabase;
  readonly #bytes = new Map<string, number>();
  #total = 0;

  /** `query` answers what is there at first: `node_id` and `bytes`, one row a node. */
  constructor(db: ControlDatabase, query: string) {
    this.#db = db;
    for (const row of db.all(query)) this.#count(row['node_id'] as string, row['bytes'] as number);
  }

  get total(): number {
    return this.#total;
  }

  of(nodeId: string): number {
    return this.#bytes.get(nodeId) ?? 0;
  }

  /** As `excesses` takes them. */
  accounts(): { readonly origin: string; readonly bytes: number; readonly records: number }[] {
    return [...this.#bytes].map(([origin, bytes]) => ({ origin, bytes, records: 0 }));
  }

  /** Only inside a change. */
  add(nodeId: string, bytes: number): void {
    this.#count(nodeId, bytes);
    this.#db.onRollback(() => this.#count(nodeId, -bytes));
  }

  #count(nodeId: string, bytes: number): void {
    this.#total += bytes;
    const now = this.of(nodeId) + bytes;
    if (now === 0) this.#bytes.delete(nodeId);
    else this.#bytes.set(nodeId, now);
  }
}
