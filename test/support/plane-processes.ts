import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { PROGRAM, acheron, type Ran } from './acheron.js';
import { cleanEnvironment, mountDirFor } from './mount-child.js';
import { temporaryDir } from './test-node.js';
import { until } from './until.js';

/** A running `acheron …`; ended with the test. */
export class Program {
  readonly child: ChildProcess;
  said = '';
  readonly #ended: Promise<unknown>;

  /** `by`: a command that runs what stands behind it. */
  constructor(t: Test, args: readonly string[], by: readonly string[] = []) {
    const [command, ...rest] = [...by, process.execPath, PROGRAM, ...args];
    this.child = spawn(command!, rest, {
      env: { ...cleanEnvironment(), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.#ended = once(this.child, 'exit');
    t.teardown(() => this.end('SIGTERM'));
  }

  /** Waits until it has said what matches. @throws Error when it ends before. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    let match: RegExpMatchArray | null = null;
    await until(
      () => {
        match = pattern.exec(this.said);
        if (match === null && !this.isRunning) throw new Error(`It ended:\n${this.said}`);
        return match !== null;
      },
      `${String(pattern)} in ${this.said}`,
      60_000,
    );
    return match!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.child.kill(signal);
    await this.#ended;
  }
}

/** A control plane, its nodes and its mounts, each a process of its own. */
export class PlaneProcesses {
  readonly stateDir: string;
  url = '';
  control!: Program;
  readonly #t: Test;

  readonly #args: readonly string[];

  private constructor(t: Test, args: readonly string[]) {
    this.#t = t;
    this.#args = args;
    this.stateDir = join(temporaryDir(t), 'plane');
  }

  static async start(t: Test, args: readonly string[] = []): Promise<PlaneProcesses> {
    const plane = new PlaneProcesses(t, args);
    await plane.startControl('0');
    return plane;
  }

  async startControl(port = new URL(this.url).port): Promise<void> {
    const args = ['--port', port, '--state-dir', this.stateDir, '--offline-grace-ms', '50', ...this.#args];
    this.control = new Program(this.#t, ['control', ...args]);
    this.url = (await this.control.says(/(ws:\/\/[\d.]+:\d+)/))[1]!;
  }

  tokenFile(role: 'admin' | 'user'): string {
    return join(this.stateDir, `${role}.token`);
  }

  /** The arguments by which a command speaks for a role, or with the token in a file. */
  as(who: string): string[] {
    const file = who === 'admin' || who === 'user' ? this.tokenFile(who) : who;
    return ['--control-url', this.url, '--token-file', file];
  }

  run(args: readonly string[]): Promise<Ran> {
    return acheron(args);
  }

  async mount(who = 'admin', args: readonly string[] = []): Promise<string> {
    const dir = mountDirFor(this.#t);
    const program = new Program(this.#t, [
      ...['mount', dir, ...this.as(who)],
      ...['--state-dir', join(dir, '..', 'state'), ...args],
    ]);
    await program.says(/Mounted on/);
    return dir;
  }

  /** A node's files; `start` runs it. */
  node(name: string, manifests: readonly JsonObject[]): NodeProcess {
    return new NodeProcess(this.#t, this, name, manifests);
  }
}

export class NodeProcess {
  readonly dir: string;
  program!: Program;
  readonly #t: Test;
  readonly #plane: { readonly url: string };
  readonly #name: string;

  constructor(t: Test, plane: { readonly url: string }, name: string, manifests: readonly JsonObject[]) {
    this.#t = t;
    this.#plane = plane;
    this.#name = name;
    this.dir = temporaryDir(t);
    mkdirSync(join(this.dir, 'services'));
    for (const manifest of manifests) this.write(manifest);
  }

  write(manifest: JsonObject): void {
    const file = join(this.dir, 'services', `${manifest.service_id as string}.json`);
    writeFileSync(file, JSON.stringify(manifest), { mode: 0o600 });
  }

  /** Runs it, with the invite where it is not paired yet; by the command `by`, where one is given. */
  start(invite?: string, args: readonly string[] = [], by: readonly string[] = []): this {
    const inviteFile = join(this.dir, 'invite');
    if (invite !== undefined) writeFileSync(inviteFile, invite, { mode: 0o600 });
    const command = [
      ...['node', '--node-name', this.#name, '--state-dir', join(this.dir, 'state')],
      ...['--services-dir', join(this.dir, 'services'), '--control-url', this.#plane.url],
      ...(invite === undefined ? [] : ['--pair-mode', 'invite', '--invite-token-file', inviteFile]),
      ...['--reconnect-backoff-ms', '20', '--reconnect-backoff-max-ms', '100', ...args],
    ];
    this.program = new Program(this.#t, command, by);
    return this;
  }
}

export const readJson = <Shape = Record<string, unknown>>(path: string): Promise<Shape> =>
  readFile(path, 'utf8').then((text) => JSON.parse(text) as Shape);

/** Runs `script` with sh, as people use a mount; never a synchronous call of this process. */
export async function shell(script: string): Promise<Ran> {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { stdout, stderr, status };
}

/** An invite, made as an admin makes one in a shell. */
export async function inviteThrough(mount: string): Promise<string> {
  const made = await shell(`echo '{"ttl_ms":60000}' > ${mount}/control/pairing/invites/create.json`);
  if (made.status !== 0) throw new Error(made.stderr);
  const { invite_token: token } = await readJson(`${mount}/control/pairing/last_result.json`);
  return token as string;
}

/** Waits until the node is shown with its services. */
export function untilOnline(mount: string, nodeId: string): Promise<void> {
  return until(
    async () => {
      const nodes = await readJson<readonly { node_id: string; state: string }[]>(
        `${mount}/nodes/NODES.json`,
      ).catch(() => []);
      return nodes.some(({ node_id, state }) => node_id === nodeId && state === 'online');
    },
    `node ${nodeId} at ${mount}`,
    60_000,
  );
}

export const linesOf = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
