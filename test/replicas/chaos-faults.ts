import type { Random } from '../support/random.js';
import type { ChaosWorld, Place } from './chaos-world.js';
import type { ReplicaHistory } from './replica-history.js';

const delay = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Beyond the lease of 3 s, and the time in which PostgreSQL gives up a standby. */
const LONGEST_MS = 5_000;
const STEPS_MS = [-20 * 60_000, -4_000, -500, 500, 2_900, 60_000, 20 * 60_000];

/** What may happen anywhere. */
const EVERYWHERE = [
  'kill',
  'pause',
  'partition',
  'deaf',
  'mute',
  'apart',
  'one-way',
  'cut',
  'slow',
  'database',
  'promote',
  'clock',
  'database clock',
] as const;

/** What needs machines of their own; they drop what a proxy cuts. */
const ON_MACHINES = [
  ...EVERYWHERE.filter((kind) => kind !== 'cut'),
  'alone',
  'unseen',
  'slow database',
  'databases apart',
  'standby',
  'disk',
  'database disk',
] as const;

type FaultKind = (typeof EVERYWHERE)[number] | (typeof ON_MACHINES)[number];

/** What can happen in this world; of that these, where some are named. */
export function kindsOf({ hasMachines, primary }: ChaosWorld, only: readonly string[]): FaultKind[] {
  const all: readonly FaultKind[] = hasMachines ? ON_MACHINES : EVERYWHERE;
  return all
    .filter((kind) => primary.clock !== undefined || !kind.endsWith('clock'))
    .filter((kind) => only.length === 0 || only.includes(kind));
}

/** Does what a seed says to replicas, databases, and what lies between them. What it does it undoes. */
export class ChaosFaults {
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #history: ReplicaHistory;
  /** Where everything but the databases and replicas is. */
  readonly outside: string[] = ['clients'];

  constructor(world: ChaosWorld, random: Random, history: ReplicaHistory) {
    this.#world = world;
    this.#random = random;
    this.#history = history;
  }

  async inject(kind: FaultKind): Promise<void> {
    this.#history.count(`fault: ${kind}`);
    const place = this.#random.of(this.#world.places);
    this.#history.tell(`${kind} (${place.name})`);
    await this.#acts[kind](place);
  }

  readonly #acts: Record<FaultKind, (place: Place) => Promise<void>> = {
    kill: async ({ replica }) => {
      await replica.program.end('SIGKILL');
      await this.#while(1_500);
      await replica.start().catch(() => undefined);
    },
    pause: async ({ replica }) => {
      replica.program.child.kill('SIGSTOP');
      await delay(3_500 + this.#random.below(2_000));
      replica.program.child.kill('SIGCONT');
    },
    partition: ({ name }) => this.#without(this.#bothWays(name, this.#databases)),
    deaf: ({ name }) => this.#without(this.#databases.map((database) => [database, name])),
    mute: ({ name }) => this.#without(this.#databases.map((database) => [name, database])),
    apart: ({ name }) => this.#without(this.#bothWays(name, this.#othersThan(name))),
    'one-way': ({ name }) => this.#without([[name, this.#random.of(this.#othersThan(name))]]),
    alone: ({ name }) =>
      this.#without(this.#bothWays(name, [...this.#databases, ...this.#othersThan(name), ...this.outside])),
    /** It can do everything, and nobody hears it. */
    unseen: ({ name }) => this.#without(this.outside.map((one) => [name, one])),
    cut: ({ name }) => {
      this.#world.ground.cut(name);
      return Promise.resolve();
    },
    slow: ({ name }) => this.#slowly(name),
    'slow database': () => this.#slowly(this.#world.primary.name),
    database: async () => {
      const { server } = this.#world.primary;
      await server.kill();
      await this.#while(1_500);
      await server.start();
    },
    standby: async () => {
      const { server } = this.#world.standby;
      await server.kill();
      await this.#while(LONGEST_MS);
      await server.start();
    },
    'databases apart': () =>
      this.#without(this.#bothWays(this.#world.primary.name, [this.#world.standby.name])),
    promote: async () => {
      const { primary, standby } = this.#world;
      await primary.server.kill();
      await standby.server.promote();
      this.#world.promoted();
      await this.#while(2_000);
      await primary.server.follow(standby.server);
    },
    clock: ({ clock }) => this.#step(clock),
    'database clock': () => this.#step(this.#world.primary.clock),
    disk: async ({ disk }) => {
      await disk?.fill();
      await this.#while(LONGEST_MS);
      await disk?.free();
    },
    'database disk': async () => {
      const { server, disk } = this.#world.primary;
      await disk?.fill();
      await this.#while(LONGEST_MS);
      await disk?.free();
      if (!server.isRunning) await server.start();
    },
  };

  get #databases(): string[] {
    return this.#world.databases.map(({ name }) => name);
  }

  #othersThan(name: string): string[] {
    return this.#world.places.map((place) => place.name).filter((other) => other !== name);
  }

  #bothWays(name: string, others: readonly string[]): (readonly [string, string])[] {
    return others.flatMap((other): [string, string][] => [
      [name, other],
      [other, name],
    ]);
  }

  async #without(ways: readonly (readonly [string, string])[]): Promise<void> {
    for (const [from, to] of ways) await this.#world.ground.block(from, to);
    await this.#while(LONGEST_MS);
    await this.#world.ground.heal();
  }

  async #slowly(name: string): Promise<void> {
    this.#history.count(`slow by ${await this.#world.ground.slow(name)}`);
    await this.#while(LONGEST_MS);
    await this.#world.ground.heal();
  }

  async #step(clock: ChaosWorld['primary']['clock']): Promise<void> {
    clock?.set(this.#random.of(STEPS_MS));
    await this.#while(LONGEST_MS);
    // Back where it was: that is a step too.
    if (this.#random.below(2) === 0) clock?.set(0);
  }

  #while(longestMs: number): Promise<void> {
    return delay(longestMs / 5 + this.#random.below((longestMs * 4) / 5));
  }
}
