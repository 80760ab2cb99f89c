import { ControlClient, type Subscription } from '../../lib/control/index.js';
import { FsError } from '../../lib/core/index.js';
import type { Random } from '../support/random.js';
import {
  Cell,
  GONE,
  IS_NOT_THERE,
  IS_THERE,
  NO_ROOM,
  epochs,
  invite,
  projectCell,
  type CellAction,
} from './cells.js';
import { REPLICAS, type ChaosWorld, type Place } from './chaos-world.js';
import type { ReplicaHistory } from './replica-history.js';

const delay = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** So many operations of one thing are looked at together; then comes another one. */
const OPERATIONS_OF_A_CELL = 30;
/** Nobody knows whether it was done. What else a control plane answers is a fault. */
const UNKNOWN: readonly string[] = ['EHOSTDOWN', 'ETIMEDOUT', NO_ROOM];

/** Clients that write, read, watch and race each other at all replicas, until it is over. */
export class ChaosClients {
  isOver = false;
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #history: ReplicaHistory;
  #next = 0;

  constructor(world: ChaosWorld, random: Random, history: ReplicaHistory) {
    this.#world = world;
    this.#random = random;
    this.#history = history;
  }

  /** All at once; ends after `isOver`. */
  async work(pauseMs: number): Promise<void> {
    const { places } = this.#world;
    await Promise.all([
      ...places.map((place) => this.#createAt(place, pauseMs)),
      this.#raceForProjects(pauseMs),
      this.#raceForInvites(),
      this.#raceForEpochs(),
      this.#writeRegister(),
      ...places.map((place) => this.#readRegister(place)),
      this.#revoke(),
      ...places.map((_, n) => this.#watch(`watcher ${n}`, n)),
    ]);
  }

  /** Does it until it is done, whatever fails. */
  async patiently<T>(act: (client: ControlClient) => Promise<T>): Promise<T | undefined> {
    for (let tries = 0; ; tries++) {
      const client = this.#world.client(this.#world.places[tries % REPLICAS]!);
      try {
        return await act(client);
      } catch (thrown) {
        if (FsError.from(thrown).code === 'EEXIST') return undefined;
        if (tries > 30) throw thrown;
        await delay(300);
      } finally {
        client.close();
      }
    }
  }

  /** What it answers, or the code of its refusal where that is one of `refusals`; undefined where that cannot be known. */
  async #try<T, R extends string = never>(
    what: string,
    act: () => Promise<T>,
    refusals: readonly R[] = [],
  ): Promise<T | R | undefined> {
    try {
      const answer = await act();
      this.#history.count(what);
      return answer;
    } catch (thrown) {
      const error = FsError.from(thrown);
      const code: string = error.code;
      this.#history.count(`${what}: ${code}`);
      if ((refusals as readonly string[]).includes(code)) return code as R;
      if (!UNKNOWN.includes(code))
        this.#history.fault(`${what} was answered by ${code}: ${error.message} ${error.hint ?? ''}`);
      return undefined;
    }
  }

  async #createAt(place: Place, pauseMs: number): Promise<void> {
    const client = this.#world.client(place);
    while (!this.isOver) {
      const id = `w${this.#next++}`;
      const made = await this.#try('create', () =>
        client.request('project_create', { project_id: id, with_token: false }),
      );
      if (made !== undefined) this.#history.created.add(id);
      await delay(pauseMs);
    }
    client.close();
  }

  async #raceForProjects(pauseMs: number): Promise<void> {
    while (!this.isOver) {
      const cell = new Cell(`cell${this.#next++}`, projectCell);
      const clients = this.#world.places.map((place) => this.#world.client(place));
      let left = OPERATIONS_OF_A_CELL;
      await Promise.all(
        clients.map(async (client) => {
          while (left-- > 0 && !this.isOver) {
            const action = this.#cellAction();
            await cell.note(action, () => this.#cellAct(client, cell.name, action));
            await delay(this.#random.below(pauseMs));
          }
        }),
      );
      for (const client of clients) client.close();
      this.#history.settle(cell);
    }
  }

  #cellAction(): CellAction {
    const kind = this.#random.of(['create', 'create', 'update', 'update', 'look', 'delete'] as const);
    return kind === 'create' || kind === 'update' ? { kind, value: `v${this.#next++}` } : { kind };
  }

  #cellAct(client: ControlClient, id: string, action: CellAction): Promise<string | undefined> {
    const { kind } = action;
    return this.#try(
      `cell ${kind}`,
      async () => {
        if (kind === 'delete') {
          await client.request('project_delete', { project_id: id });
          return GONE;
        }
        const change = 'value' in action ? { description: action.value } : { name: 'looked at' };
        const { project } =
          kind === 'create'
            ? await client.request('project_create', { project_id: id, with_token: false, ...change })
            : await client.request('project_update', { project_id: id, ...change });
        return project.description ?? '';
      },
      [IS_THERE, IS_NOT_THERE, NO_ROOM],
    );
  }

  async #raceForInvites(): Promise<void> {
    const clients = this.#world.places.map((place) => this.#world.client(place));
    while (!this.isOver) {
      const invited = await this.#try('invite', () =>
        this.#random.of(clients).request('node_invite_create', {}),
      );
      if (typeof invited === 'object') {
        const cell = new Cell(`invite n${this.#next}`, invite);
        const joined = await Promise.all(
          clients.map(async (client) => {
            const as = `n${this.#next++}`;
            const outcome = await cell.note({ as }, () => this.#join(client, invited.invite_token, as));
            return outcome === 'joined' ? as : undefined;
          }),
        );
        this.#history.settle(cell);
        await this.#forget(
          this.#random.of(clients),
          joined.find((as) => as !== undefined),
        );
      }
      await delay(150);
    }
    for (const client of clients) client.close();
  }

  /** So that there are not too many. */
  async #forget(client: ControlClient, nodeId: string | undefined): Promise<void> {
    if (nodeId === undefined) return;
    await this.#try('node delete', () => client.request('node_delete', { node_id: nodeId }), [IS_NOT_THERE]);
  }

  async #join(client: ControlClient, token: string, as: string): Promise<'joined' | 'refused' | undefined> {
    const asked = { invite_token: token, node_name: as, platform: {}, labels: {} };
    const outcome = await this.#try('join', () => client.request('node_join', asked), ['EACCES']);
    return typeof outcome === 'object' ? 'joined' : outcome && 'refused';
  }

  /** Several who are one node: each that connects overtakes the others. */
  async #raceForEpochs(): Promise<void> {
    const { places } = this.#world;
    while (!this.isOver) {
      const as = `e${this.#next++}`;
      const admin = this.#world.client(this.#random.of(places));
      const made = await this.#try('node ensure', () =>
        admin.request('node_ensure', { node_name: as, platform: {}, labels: {} }),
      );
      if (typeof made === 'object') {
        const cell = new Cell(`epoch of ${as}`, epochs);
        const { node_id: id, node_secret: secret } = made as { node_id: string; node_secret: string };
        let left = OPERATIONS_OF_A_CELL / 2;
        await Promise.all(
          places.map(async (place) => {
            while (left-- > 0 && !this.isOver) {
              await cell.note('connect', () => this.#epochAt(place, id, secret));
              await delay(this.#random.below(100));
            }
          }),
        );
        this.#history.settle(cell);
        await this.#forget(admin, id);
      }
      admin.close();
      await delay(100);
    }
  }

  async #epochAt(place: Place, nodeId: string, secret: string): Promise<number | undefined> {
    const client = new ControlClient({
      ...{ url: place.replica.url, timeoutMs: 6_000, isFinal: () => true },
      connect: () => ({ node_id: nodeId, node_secret: secret, instance_id: `i${this.#next++}` }),
    }).start();
    try {
      const welcome = await this.#try('epoch', () => client.ready().then(() => client.welcome));
      return welcome?.node?.epoch;
    } finally {
      client.close();
    }
  }

  async #writeRegister(): Promise<void> {
    for (let value = 1; !this.isOver; value++) {
      const client = this.#world.client(this.#random.of(this.#world.places));
      for (let n = 0; n < 5 && !this.isOver; n++, value++) {
        const asked = performance.now();
        const description = String(value);
        const done = await this.#try('register', () =>
          client.request('project_update', { project_id: 'register', description }),
        );
        if (done !== undefined) this.#history.written.push({ value, asked, told: performance.now() });
        await delay(10);
      }
      client.close();
    }
  }

  async #readRegister(place: Place): Promise<void> {
    const client = this.#world.client(place);
    while (!this.isOver) {
      const asked = performance.now();
      const got = await this.#try('read', () => client.request('project_get', { project_id: 'register' }));
      if (got !== undefined)
        this.#history.read.push({ value: Number(got.project.description), asked, by: place.name });
      await delay(30);
    }
    client.close();
  }

  /** A token that was revoked is let in nowhere, from when that is acknowledged. */
  async #revoke(): Promise<void> {
    while (!this.isOver) {
      const admin = this.#world.client(this.#random.of(this.#world.places));
      const made = (await this.#try('token', () =>
        admin.request('token_create', { role: 'user' } as never),
      )) as { token: string; record: { token_id: string } } | undefined;
      const id = made?.record.token_id ?? '';
      const revoked =
        made && (await this.#try('revoke', () => admin.request('token_revoke', { token_id: id })));
      if (made !== undefined && revoked !== undefined)
        await Promise.all(this.#world.places.map((place) => this.#tryToken(place, made.token, id)));
      admin.close();
      await delay(100);
    }
  }

  async #tryToken(place: Place, token: string, id: string): Promise<void> {
    const user = new ControlClient({
      ...{ url: place.replica.url, token, timeoutMs: 1_500, isFinal: () => true },
    }).start();
    await user.ready().then(
      () => this.#history.fault(`The token ${id} was revoked, and let in at ${place.name}.`),
      () => this.#history.count('refused'),
    );
    user.close();
  }

  /** Watches from the beginning, at one replica after the other, from the cursor that it has. */
  async #watch(name: string, first: number): Promise<void> {
    const onEvent = this.#history.watcher(name);
    let cursor: string | undefined;
    for (let at = first; !this.isOver; at++) {
      const client = this.#world.client(this.#world.places[at % REPLICAS]!);
      const from = cursor === undefined ? { sinceRevision: 0 } : { cursor };
      const watch: Subscription = client.watch({
        ...from,
        onEvent,
        onReset: (why) => this.#history.fault(`${name} was reset: ${why}`),
      });
      const until = performance.now() + 1_000 + this.#random.below(2_000);
      while (!this.isOver && performance.now() < until) await delay(20);
      watch.close();
      cursor = watch.cursor ?? cursor;
      this.#history.count('watch hops');
      client.close();
    }
  }
}
