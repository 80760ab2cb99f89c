import type { Test } from 'tap';
import { ControlClient, type Subscription } from '../../lib/control/index.js';
import { FsError } from '../../lib/core/index.js';
import { PostgresServer } from '../support/postgres.js';
import type { Random } from '../support/random.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { ReplicaHistory } from './replica-history.js';

const REPLICAS = 3;
const FAULT_EVERY_MS = 2_500;
const HEAL_WITHIN_MS = 60_000;

const delay = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

interface Place {
  readonly name: string;
  readonly replica: ReplicaProcess;
  /** Between it and each server of PostgreSQL. */
  readonly links: readonly TcpProxy[];
}

/**
 * Three control planes over PostgreSQL with a synchronous standby, clients that write, read and watch at all of them, and faults by a
 * seed: killed and paused processes, a database that is killed, restarted and promoted, networks that swallow or cut.
 */
export class ReplicaChaos {
  readonly history = new ReplicaHistory();
  readonly #t: Test;
  readonly #random: Random;
  readonly #places: Place[] = [];
  #primary!: PostgresServer;
  #standby: PostgresServer | undefined;
  #token = '';
  #isOver = false;
  #next = 0;

  constructor(t: Test, random: Random) {
    this.#t = t;
    this.#random = random;
  }

  async start(): Promise<void> {
    this.#primary = await PostgresServer.primary(this.#t);
    this.#standby = await PostgresServer.standby(this.#t, this.#primary);
    const servers = [this.#primary, this.#standby];
    for (let n = 0; n < REPLICAS; n++) {
      const links = await Promise.all(servers.map(({ port }) => TcpProxy.start(() => port)));
      this.#t.teardown(() => Promise.all(links.map((link) => link.close())).then(() => undefined));
      const store = PostgresServer.url(...links.map((link) => ({ port: Number(new URL(link.url).port) })));
      this.#places.push({ name: `replica ${n}`, replica: await ReplicaProcess.start(this.#t, store), links });
    }
    this.#token = this.#places[0]!.replica.token('admin');
  }

  /** Runs for so long, then heals everything, and answers what is wrong. */
  async run(forMs: number, faults: readonly string[]): Promise<string[]> {
    const endMs = performance.now() + forMs;
    const admin = this.#client(this.#places[0]!);
    await admin.request('project_create', {
      project_id: 'register',
      with_token: false,
      description: '0',
    });
    admin.close();
    const work = [
      ...this.#places.map((place) => this.#createAt(place)),
      this.#raceForNames(),
      this.#raceForInvites(),
      this.#writeRegister(),
      ...this.#places.map((place) => this.#readRegister(place)),
      this.#revoke(),
      ...[0, 1, 2].map((n) => this.#watch(`watcher ${n}`, n)),
    ];
    while (performance.now() < endMs) {
      await delay(FAULT_EVERY_MS / 2 + this.#random.below(FAULT_EVERY_MS));
      await this.#fault(this.#random.of(faults));
    }
    await this.#heal();
    this.#isOver = true;
    const stopped = await Promise.allSettled(work);
    for (const one of stopped) if (one.status === 'rejected') this.#t.fail(String(one.reason));
    return this.history.faults(await this.#final());
  }

  async #fault(what: string): Promise<void> {
    this.history.count(`fault: ${what}`);
    const place = this.#random.of(this.#places);
    const { replica, links } = place;
    if (what === 'kill') {
      await replica.program.end('SIGKILL');
      await delay(this.#random.below(1_500));
      await replica.start().catch(() => undefined);
    } else if (what === 'pause') {
      replica.program.child.kill('SIGSTOP');
      await delay(3_500 + this.#random.below(2_000));
      replica.program.child.kill('SIGCONT');
    } else if (what === 'partition') {
      for (const link of links) link.swallow();
      await delay(1_000 + this.#random.below(4_000));
      for (const link of links) link.release();
    } else if (what === 'cut') {
      for (const link of links) link.cut();
    } else if (what === 'slow') {
      for (const link of links) link.slow(100, 2_000);
    } else if (what === 'database') {
      await this.#primary.kill();
      await delay(this.#random.below(1_500));
      await this.#primary.start();
    } else if (what === 'promote' && this.#standby !== undefined) {
      await this.#primary.kill();
      await this.#standby.promote();
      [this.#primary, this.#standby] = [this.#standby, undefined];
      this.history.count('promotions');
    }
  }

  async #heal(): Promise<void> {
    for (const { replica, links } of this.#places) {
      for (const link of links) link.release();
      replica.program.child.kill('SIGCONT');
      if (!replica.program.isRunning) await replica.start();
    }
    await until(
      async () =>
        (await Promise.all(this.#places.map(({ replica }) => replica.isReady()))).every((ready) => ready),
      `all replicas to be ready again: ${this.#places.map(({ replica }) => replica.program.said).join('\n--\n')}`,
      HEAL_WITHIN_MS,
    );
    // All watchers are to hear of something that comes after all that went wrong.
    const last = `last-${this.#next++}`;
    await this.#patiently(async () => {
      const client = this.#client(this.#places[0]!);
      try {
        await client.request('project_create', { project_id: last, with_token: false });
      } finally {
        client.close();
      }
    });
    await until(
      () =>
        [...this.history.watched.values()].every((events) =>
          events.some((event) => JSON.stringify(event).includes(`"${last}"`)),
        ),
      'every watcher to be told of the last change',
      30_000,
    );
  }

  async #patiently(act: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await act();
        return;
      } catch (thrown) {
        if (FsError.from(thrown).code === 'EEXIST') return;
        if (tries > 30) throw thrown;
        await delay(300);
      }
    }
  }

  async #final(): Promise<{ replica: string; projects: Map<string, string> }[]> {
    return Promise.all(
      this.#places.map(async (place) => {
        const client = this.#client(place);
        const { projects } = await client.requestAll('project_list', {});
        client.close();
        return {
          replica: place.name,
          projects: new Map(projects.map(({ project_id, description }) => [project_id, description ?? ''])),
        };
      }),
    );
  }

  #client({ replica }: Place, token = this.#token): ControlClient {
    return new ControlClient({
      url: replica.url,
      token,
      minDelayMs: 20,
      maxDelayMs: 100,
      timeoutMs: 6_000,
    }).start();
  }

  /** What it answers, or undefined where that cannot be known: it may have been done. Nothing may take longer than that. */
  async #try<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await act();
      this.history.count(what);
      return answer;
    } catch (thrown) {
      this.history.count(`${what}: ${FsError.from(thrown).code}`);
      return undefined;
    }
  }

  async #createAt(place: Place): Promise<void> {
    const client = this.#client(place);
    while (!this.#isOver) {
      const id = `w${this.#next++}`;
      const made = await this.#try('create', () =>
        client.request('project_create', { project_id: id, with_token: false }),
      );
      if (made !== undefined) this.history.created.add(id);
      await delay(15);
    }
    client.close();
  }

  async #raceForNames(): Promise<void> {
    const clients = this.#places.map((place) => this.#client(place));
    while (!this.#isOver) {
      const id = `race${this.#next++}`;
      const made = await Promise.all(
        clients.map((client) =>
          this.#try('race', () => client.request('project_create', { project_id: id, with_token: false })),
        ),
      );
      const winners = made.filter((one) => one !== undefined).length;
      this.history.won.set(id, winners);
      if (winners > 0) this.history.created.add(id);
      await delay(100);
    }
    for (const client of clients) client.close();
  }

  async #raceForInvites(): Promise<void> {
    const clients = this.#places.map((place) => this.#client(place));
    while (!this.#isOver) {
      const invited = await this.#try('invite', () =>
        this.#random.of(clients).request('node_invite_create', {}),
      );
      const token = (invited as { invite_token?: string } | undefined)?.invite_token;
      if (token === undefined) {
        await delay(100);
        continue;
      }
      const id = `n${this.#next++}`;
      const joined = await Promise.all(
        clients.map((client, n) =>
          this.#try('join', () =>
            client.request('node_join', {
              invite_token: token,
              node_name: `${id}-${n}`,
              platform: {},
              labels: {},
            }),
          ),
        ),
      );
      this.history.joined.set(
        id,
        joined.flatMap((one, n) => (one === undefined ? [] : [`${id}-${n}`])),
      );
      await delay(150);
    }
    for (const client of clients) client.close();
  }

  async #writeRegister(): Promise<void> {
    for (let value = 1; !this.#isOver; value++) {
      const client = this.#client(this.#random.of(this.#places));
      for (let n = 0; n < 5 && !this.#isOver; n++, value++) {
        const asked = performance.now();
        const done = await this.#try('register', () =>
          client.request('project_update', { project_id: 'register', description: String(value) }),
        );
        if (done !== undefined) this.history.written.push({ value, asked, told: performance.now() });
        await delay(10);
      }
      client.close();
    }
  }

  async #readRegister(place: Place): Promise<void> {
    const client = this.#client(place);
    while (!this.#isOver) {
      const asked = performance.now();
      const got = await this.#try('read', () => client.request('project_get', { project_id: 'register' }));
      if (got !== undefined)
        this.history.read.push({
          value: Number(got.project.description),
          asked,
          told: performance.now(),
          by: place.name,
        });
      await delay(30);
    }
    client.close();
  }

  /** A token that was revoked is let in nowhere, from when that is acknowledged. */
  async #revoke(): Promise<void> {
    while (!this.#isOver) {
      const admin = this.#client(this.#random.of(this.#places));
      const made = (await this.#try('token', () =>
        admin.request('token_create', { role: 'user' } as never),
      )) as { token: string; record: { token_id: string } } | undefined;
      const revoked =
        made &&
        (await this.#try('revoke', () => admin.request('token_revoke', { token_id: made.record.token_id })));
      if (made !== undefined && revoked !== undefined)
        await Promise.all(
          this.#places.map(async (place) => {
            const user = new ControlClient({
              ...{ url: place.replica.url, token: made.token, timeoutMs: 1_500, isFinal: () => true },
            }).start();
            await user.ready().then(
              () => this.history.letIn.push(`${made.record.token_id} at ${place.name}`),
              () => this.history.count('refused'),
            );
            user.close();
          }),
        );
      admin.close();
      await delay(100);
    }
  }

  /** Watches from the beginning, at one replica after the other, from the cursor that it has. */
  async #watch(name: string, first: number): Promise<void> {
    const onEvent = this.history.watcher(name);
    let cursor: string | undefined;
    for (let at = first; !this.#isOver; at++) {
      const client = this.#client(this.#places[at % REPLICAS]!);
      const from = cursor === undefined ? { sinceRevision: 0 } : { cursor };
      const watch: Subscription = client.watch({
        ...from,
        onEvent,
        onReset: (why) => this.#t.fail(`${name} was reset: ${why}`),
      });
      const until = performance.now() + 1_000 + this.#random.below(2_000);
      while (!this.#isOver && performance.now() < until) await delay(20);
      watch.close();
      cursor = watch.cursor ?? cursor;
      client.close();
    }
  }
}
