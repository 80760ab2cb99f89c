import { join } from 'node:path';
import type { Test } from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { noNamespaces } from '../support/namespaces.js';
import { PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { noSmallDisks, SmallDisk } from '../support/small-disk.js';
import { noSteppedClocks, SteppedClock } from '../support/stepped-clock.js';
import { LoopbackGround, NamespaceGround, OTHERS, type Ground } from './ground.js';

export const REPLICAS = 3;
const STATE_MIB = 256;
const DATABASE_MIB = 1000;

export interface Place {
  readonly name: string;
  readonly replica: ReplicaProcess;
  /** Undefined where there can be none. */
  readonly clock: SteppedClock | undefined;
  readonly disk: SmallDisk | undefined;
}

export interface DatabasePlace {
  readonly name: string;
  readonly server: PostgresServer;
  readonly clock: SteppedClock | undefined;
  readonly disk: SmallDisk | undefined;
}

export interface WorldOptions {
  /** Each on a machine of its own with a small disk, where this machine can do that. */
  readonly machines: boolean;
}

/** Three control planes over PostgreSQL with a synchronous standby, what lies between them, and their clocks and disks. */
export class ChaosWorld {
  readonly places: Place[] = [];
  readonly ground: Ground;
  readonly hasMachines: boolean;
  /** The first has the primary at the beginning. */
  readonly databases: DatabasePlace[] = [];
  #primary = 0;
  token = '';
  readonly #t: Test;

  private constructor(t: Test, { machines }: WorldOptions) {
    this.#t = t;
    this.hasMachines = machines && noNamespaces === false;
    if (machines && noNamespaces !== false) t.comment(`On loopback: ${noNamespaces}.`);
    this.ground = this.hasMachines ? new NamespaceGround(t) : new LoopbackGround(t);
  }

  static async start(t: Test, options: WorldOptions): Promise<ChaosWorld> {
    const world = new ChaosWorld(t, options);
    await world.#startDatabases();
    // The first makes the first tokens.
    world.places.push(await world.#startReplica(0));
    const others = Array.from({ length: REPLICAS - 1 }, (_, n) => world.#startReplica(n + 1));
    world.places.push(...(await Promise.all(others)));
    world.token = world.places[0]!.replica.token('admin');
    return world;
  }

  get primary(): DatabasePlace {
    return this.databases[this.#primary]!;
  }

  get standby(): DatabasePlace {
    return this.databases[1 - this.#primary]!;
  }

  /** The standby is the primary from now on. */
  promoted(): void {
    this.#primary = 1 - this.#primary;
  }

  get tokenFile(): string {
    return join(this.places[0]!.replica.stateDir, 'admin.token');
  }

  /** All control planes, the one of this number first. */
  urls(first = 0): string {
    return this.places.map((_, n) => this.places[(n + first) % REPLICAS]!.replica.url).join(',');
  }

  /** A client of this replica alone. */
  client({ replica }: Place, token = this.token): ControlClient {
    return new ControlClient({
      ...{ url: replica.url, token, minDelayMs: 20, maxDelayMs: 100, timeoutMs: 6_000 },
    }).start();
  }

  async #startDatabases(): Promise<void> {
    for (const n of [0, 1]) {
      const name = `database ${n}`;
      const [clock, disk] = [this.#clock(), this.#disk(DATABASE_MIB)];
      const place = { host: this.ground.host(name), ...by(clock), ...(disk && { dir: disk.dir }) };
      const server =
        n === 0
          ? await PostgresServer.primary(this.#t, place)
          : await PostgresServer.standby(this.#t, this.databases[0]!.server, place);
      this.databases.push({ name, server, clock, disk });
    }
  }

  async #startReplica(n: number): Promise<Place> {
    const name = `replica ${n}`;
    const { ground } = this;
    const [clock, disk] = [this.#clock(), this.#disk(STATE_MIB)];
    const host = ground.host(name);
    const stores = await Promise.all(
      this.databases.map(({ name: database, server }) =>
        ground.wire(name, database, { address: server.host.address, port: () => server.port }),
      ),
    );
    const store = PostgresServer.url(
      ...stores.map((at) => ({
        host: { address: at.replace(/:\d+$/, ''), by: [] },
        port: Number(/\d+$/.exec(at)),
      })),
    );
    const started: { replica?: ReplicaProcess } = {};
    const door = { address: host.address, port: () => Number(new URL(started.replica!.url).port) };
    // On machines of their own they are reached where they listen.
    const args = this.hasMachines ? [] : ['--advertise', `ws://${await ground.wire(OTHERS, name, door)}`];
    const place = { host, ...by(clock), ...(disk && { stateDir: disk.dir }) };
    const replica = (started.replica = await ReplicaProcess.start(this.#t, store, args, place));
    return { name, replica, clock, disk };
  }

  #clock(): SteppedClock | undefined {
    return noSteppedClocks === false ? new SteppedClock(this.#t) : undefined;
  }

  #disk(mib: number): SmallDisk | undefined {
    return this.hasMachines && noSmallDisks === false ? new SmallDisk(this.#t, mib) : undefined;
  }
}

const by = (clock: SteppedClock | undefined): { by?: readonly string[] } =>
  clock === undefined ? {} : { by: clock.by };
