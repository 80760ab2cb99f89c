import { fork } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { cleanEnvironment, mountDirFor } from '../support/mount-child.js';
import { NodeProcess, Program, linesOf, untilOnline } from '../support/plane-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';
import type { ChaosWorld } from './chaos-world.js';
import type { FromUser, MountUse } from './mount-user.js';
import type { ReplicaHistory } from './replica-history.js';

const PROGRAM = fileURLToPath(new URL('mount-user-program.js', import.meta.url));
const END_WITHIN_MS = 240_000;
const FILE_WORDS = 256 * 1024;

interface CalledNode {
  readonly name: string;
  /** What its service appends to, once for each run. */
  readonly runs: string;
  /** What it printed. */
  readonly said: () => string;
}

interface User {
  /** Ends its work, and answers what it found. */
  readonly end: () => Promise<FromUser & { type: 'ended' }>;
  readonly begin: (seed: number) => void;
}

/** Nodes that note each call they run, mounts over all control planes, and somebody at each mount who calls and reads. */
export class ChaosCalls {
  readonly names: string[] = [];
  readonly #t: Test;
  readonly #world: ChaosWorld;
  readonly #history: ReplicaHistory;
  readonly #nodes: CalledNode[] = [];
  readonly #users: User[] = [];
  readonly #mounts: Program[] = [];

  constructor(t: Test, world: ChaosWorld, history: ReplicaHistory) {
    this.#t = t;
    this.#world = world;
    this.#history = history;
  }

  async start(nodes: number, mounts: number): Promise<void> {
    if (!existsSync('/dev/fuse')) {
      this.#t.comment('Without /dev/fuse there are no mounts here, and nobody calls.');
      return;
    }
    const shown = temporaryDir(this.#t);
    writeFileSync(join(shown, 'words'), words());
    for (let n = 0; n < nodes; n++) await this.#startNode(n, shown);
    const dirs = await Promise.all(Array.from({ length: mounts }, (_, n) => this.#mount(n)));
    for (const dir of dirs)
      for (const { name, said } of this.#nodes)
        await untilListed(dir, name).catch((thrown: unknown) => {
          throw new Error(`${String(thrown)}\n${said()}`);
        });
    for (const [n, dir] of dirs.entries())
      this.#users.push(this.#use(`m${n}`, { dir, nodes: this.#nodes.map(({ name }) => name) }));
  }

  begin(seed: number): void {
    for (const [n, user] of this.#users.entries()) user.begin(seed + n);
  }

  /** Waits for what is on its way, and answers what is wrong. */
  async end(): Promise<string[]> {
    const ended = await Promise.all(this.#users.map((user) => user.end()));
    const acknowledged = new Set(ended.flatMap((user) => user.acknowledged));
    const runs = this.#nodes.flatMap((node) => linesOf(node.runs));
    this.#history.count('runs', runs.length);
    const times = new Map<string, number>();
    for (const run of runs) times.set(run, (times.get(run) ?? 0) + 1);
    const faults = [
      ...ended.flatMap(({ faults }) => faults),
      ...[...times].filter(([, n]) => n > 1).map(([run, n]) => `${run} ran ${n} times.`),
      ...[...acknowledged]
        .filter((run) => !times.has(run))
        .map((run) => `${run} was acknowledged and never ran.`),
    ];
    if (faults.length > 0) for (const said of this.#said()) this.#t.comment(said);
    return faults;
  }

  #said(): string[] {
    return [
      ...this.#nodes.map(({ name, said }) => `${name}: ${said()}`),
      ...this.#mounts.map(({ said }, n) => `mount ${n}: ${said}`),
    ];
  }

  async #startNode(n: number, shown: string): Promise<void> {
    const name = `worker${n}`;
    this.names.push(`node ${n}`);
    const { by } = this.#world.ground.host(`node ${n}`);
    const runs = join(temporaryDir(this.#t), 'runs');
    writeFileSync(runs, '');
    const script = `tr -d '\\n' | sed 's/.*"run":"\\([^"]*\\)".*/\\1\\n/' | tee -a ${runs} >/dev/null; sleep 0.2; echo '{}'`;
    const node = new NodeProcess(this.#t, { url: this.#world.urls(n) }, name, [
      shellManifest('note', script),
    ]);
    const invited = await this.#invite();
    const exported = ['--export', `box=${shown}:as=${process.getuid!()}`];
    node.start(invited, [...exported, '--jobs-keep', '1000000'], by);
    this.#nodes.push({ name, runs, said: () => node.program.said });
  }

  async #invite(): Promise<string> {
    const client = this.#world.client(this.#world.places[0]!);
    const { invite_token: invite } = await client.request('node_invite_create', {});
    client.close();
    return invite;
  }

  async #mount(n: number): Promise<string> {
    const dir = mountDirFor(this.#t);
    this.names.push(`mount ${n}`);
    const { by } = this.#world.ground.host(`mount ${n}`);
    const program = new Program(
      this.#t,
      [
        ...['mount', dir, '--control-url', this.#world.urls(n), '--token-file', this.#world.tokenFile],
        ...['--state-dir', join(dir, '..', 'state')],
      ],
      by,
    );
    await program.says(/Mounted on/);
    this.#mounts.push(program);
    return dir;
  }

  /** In a process of its own, whose threads may all wait in a mount. */
  #use(name: string, use: Omit<MountUse, 'name' | 'seed'>): User {
    const child = fork(PROGRAM, [], {
      ...{ stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] },
      env: { ...cleanEnvironment(), UV_THREADPOOL_SIZE: '32' },
    });
    const exited = once(child, 'exit');
    this.#t.teardown(async () => {
      child.kill('SIGKILL');
      await exited;
    });
    let ended: (FromUser & { type: 'ended' }) | undefined;
    child.on('message', (message: FromUser) => {
      if (message.type === 'ended') ended = message;
      else this.#history.count(message.what);
    });
    return {
      begin: (seed) => child.send({ ...use, name, seed } satisfies MountUse),
      end: async () => {
        child.send('end');
        await until(() => ended !== undefined || child.exitCode !== null, `${name} to end`, END_WITHIN_MS);
        if (ended === undefined) throw new Error(`${name} ended without a word.`);
        return ended;
      },
    };
  }
}

/** Waits until the node is shown with its service. */
async function untilListed(dir: string, node: string): Promise<void> {
  await untilOnline(dir, node);
  const service = join(dir, 'nodes', node, 'services/note');
  await until(
    () =>
      access(service).then(
        () => true,
        () => false,
      ),
    `the service of ${node}`,
    60_000,
  );
}

/** Eight bytes for each place of a file, which say where they are. */
function words(): string {
  return Array.from({ length: FILE_WORDS }, (_, n) => `${String(n).padStart(7, '0')}\n`).join('');
}
