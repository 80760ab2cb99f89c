import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { HERE, type Host } from './hosts.js';
import { Program } from './plane-processes.js';
import { temporaryDir } from './test-node.js';

export interface ReplicaPlace {
  readonly host?: Host;
  readonly stateDir?: string;
  /** A command that runs it: by another clock. */
  readonly by?: readonly string[];
}

/** One `acheron control --store …`; ended with the test. */
export class ReplicaProcess {
  readonly stateDir: string;
  readonly #t: Test;
  readonly #store: string;
  readonly #args: readonly string[];
  readonly #place: ReplicaPlace;
  program!: Program;
  url = '';

  constructor(t: Test, store: string, args: readonly string[] = [], place: ReplicaPlace = {}) {
    this.#t = t;
    this.#store = store;
    this.#args = args;
    this.#place = place;
    this.stateDir = join(place.stateDir ?? temporaryDir(t), 'plane');
  }

  static async start(
    t: Test,
    store: string,
    args: readonly string[] = [],
    place: ReplicaPlace = {},
  ): Promise<ReplicaProcess> {
    const replica = new ReplicaProcess(t, store, args, place);
    await replica.start();
    return replica;
  }

  /** Starts it, again on the port that it had, unless another one is asked for. */
  async start(port = this.url === '' ? '0' : new URL(this.url).port): Promise<void> {
    const { host = HERE, by = [] } = this.#place;
    this.program = new Program(
      this.#t,
      [
        ...['control', '--store', this.#store, '--port', port, '--state-dir', this.stateDir],
        ...['--offline-grace-ms', '1000', ...this.#args],
        ...(host === HERE ? [] : ['--host', host.address, '--insecure']),
      ],
      [...host.by, ...by],
    );
    this.url = (await this.program.says(/(wss?:\/\/[\d.]+:\d+)/))[1]!;
  }

  get httpUrl(): string {
    return this.url.replace(/^ws/, 'http');
  }

  /** As text, where this one has made the first tokens. */
  token(role: 'admin' | 'user'): string {
    return readFileSync(join(this.stateDir, `${role}.token`), 'utf8').trim();
  }

  async isReady(): Promise<boolean> {
    const answer = await fetch(`${this.httpUrl}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  }

  /** What it counts, by name and labels. */
  async metrics(): Promise<(sample: string) => number> {
    const text = await (await fetch(`${this.httpUrl}/metrics`)).text();
    const values = new Map(
      [...text.matchAll(/^(acheron\S+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]),
    );
    return (sample) => values.get(sample) ?? NaN;
  }

  /** A client of this replica alone. */
  client(token: string): ControlClient {
    return new ControlClient({ url: this.url, token, minDelayMs: 20, maxDelayMs: 200 }).start();
  }
}
