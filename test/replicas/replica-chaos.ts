import type { Test } from 'tap';
import type { Random } from '../support/random.js';
import { until } from '../support/until.js';
import { ChaosCalls } from './chaos-calls.js';
import { ChaosClients } from './chaos-clients.js';
import { ChaosFaults, kindsOf } from './chaos-faults.js';
import { ChaosWorld, type WorldOptions } from './chaos-world.js';
import { ReplicaHistory, type Shown } from './replica-history.js';

const HEAL_WITHIN_MS = 60_000;
const TOLD_WITHIN_MS = 30_000;

const delay = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

export interface ChaosOptions extends WorldOptions {
  /** So many nodes run services, and each mount calls all of them. */
  readonly nodes: number;
  readonly mounts: number;
  /** Between two changes of one client. */
  readonly pauseMs: number;
  readonly faultEveryMs: number;
}

/**
 * Three control planes over PostgreSQL with a synchronous standby, clients, nodes and mounts that use all of them, and faults by a seed.
 * The history of all that anybody was told is then looked through.
 */
export class ReplicaChaos {
  readonly history = new ReplicaHistory();
  readonly #t: Test;
  readonly #random: Random;
  readonly #options: ChaosOptions;
  #world!: ChaosWorld;
  #clients!: ChaosClients;
  #calls!: ChaosCalls;

  constructor(t: Test, random: Random, options: ChaosOptions) {
    this.#t = t;
    this.#random = random;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { nodes, mounts } = this.#options;
    this.#world = await ChaosWorld.start(this.#t, this.#options);
    this.#clients = new ChaosClients(this.#world, this.#random, this.history);
    this.#calls = new ChaosCalls(this.#t, this.#world, this.history);
    await this.#calls.start(nodes, mounts);
  }

  /** Runs for so long, with all kinds of faults or these, then heals everything, and answers what is wrong. */
  async run(forMs: number, only: readonly string[] = []): Promise<string[]> {
    const endMs = performance.now() + forMs;
    const kinds = kindsOf(this.#world, only);
    await this.#clients.patiently((client) =>
      client.request('project_create', { project_id: 'register', with_token: false, description: '0' }),
    );
    const work = this.#clients.work(this.#options.pauseMs);
    work.catch((thrown: unknown) => this.history.fault(`A client failed: ${String(thrown)}`));
    this.#calls.begin(this.#random.below(1_000_000));
    const faults = new ChaosFaults(this.#world, this.#random, this.history);
    faults.outside.push(...this.#calls.names);
    // Each kind once, then as it comes.
    const first = shuffled(kinds, this.#random);
    while (performance.now() < endMs) {
      await delay(this.#options.faultEveryMs * (0.5 + this.#random.below(100) / 100));
      await faults.inject(first.pop() ?? this.#random.of(kinds));
    }
    await this.#heal();
    const calls = await this.#calls.end();
    this.#clients.isOver = true;
    await work;
    return [...this.history.faults(await this.#final()), ...calls];
  }

  async #heal(): Promise<void> {
    const { places, ground } = this.#world;
    await ground.heal();
    for (const { replica, clock } of places) {
      clock?.set(0);
      if (!replica.program.isRunning) await replica.start();
    }
    await until(
      async () => (await Promise.all(places.map(({ replica }) => replica.isReady()))).every(Boolean),
      'all replicas to be ready again',
      HEAL_WITHIN_MS,
    ).catch((thrown: unknown) => {
      const said = places.map(({ name, replica }) => `${name}:\n${replica.program.said}`);
      throw new Error(`${String(thrown)}\n${said.join('\n')}`);
    });
    // All watchers are to hear of something that comes after all that went wrong.
    await this.#clients.patiently((client) =>
      client.request('project_create', { project_id: 'last-of-all', with_token: false }),
    );
    await until(
      () => this.history.allSaw('last-of-all'),
      'every watcher to be told of the last change',
      TOLD_WITHIN_MS,
    );
  }

  #final(): Promise<Shown[]> {
    return Promise.all(
      this.#world.places.map(async (place) => {
        const client = this.#world.client(place);
        const { projects } = await client.requestAll('project_list', {});
        client.close();
        return {
          replica: place.name,
          projects: new Map(projects.map(({ project_id, description }) => [project_id, description ?? ''])),
        };
      }),
    );
  }
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  const left = [...all];
  return all.map(() => left.splice(random.below(left.length), 1)[0]!);
}
