import { join } from 'node:path';
import { ControlStore, openShared } from '../../lib/control/index.js';
import { EmbeddedLog, type ReplicatedLog } from '../../lib/cluster/index.js';
import { temporaryDir } from './store.js';

/** Those of one process share its processor with other tests: none is to be taken for gone by that. */
const LONG_MS = 30_000;

interface Teardown {
  teardown(callback: () => void | Promise<void>): void;
}

/** Stores over one log, each with a copy of its own. They end with the test. */
export class ReplicatedStores {
  readonly #t: Teardown;
  readonly #openLog: () => ReplicatedLog | Promise<ReplicatedLog>;
  readonly stores: ControlStore[] = [];
  /** The copy of each. */
  readonly copies = new Map<ControlStore, { execute(sql: string): void }>();

  constructor(t: Teardown, openLog?: () => ReplicatedLog | Promise<ReplicatedLog>) {
    this.#t = t;
    const path = join(temporaryDir(t), 'log.db');
    this.#openLog = openLog ?? (() => new EmbeddedLog(path));
  }

  async add({
    stateDir = temporaryDir(this.#t),
    leaseMs = LONG_MS,
  }: { stateDir?: string; leaseMs?: number } = {}): Promise<ControlStore> {
    const log = await this.#openLog();
    const shared = await openShared(log, {
      ...{ stateDir, version: '0.0.0' },
      leaseMs,
    });
    const store = new ControlStore({ stateDir }, shared);
    await store.start(`ws://127.0.0.1:${this.stores.length + 1}`);
    this.stores.push(store);
    this.copies.set(store, shared.db);
    this.#t.teardown(() => this.end(store));
    return store;
  }

  async end(store: ControlStore): Promise<void> {
    if (!this.stores.includes(store)) return;
    this.stores.splice(this.stores.indexOf(store), 1);
    await store.leave();
    store.close();
  }
}
