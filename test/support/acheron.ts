import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { cleanEnvironment, mountDirFor } from './mount-child.js';
import { temporaryDir } from './test-node.js';

const dist = join(import.meta.dirname, '..', '..');

/** The program as the package installs it: `node bin/bundle.mjs` makes it of what was compiled. */
export const PROGRAM = join(dist, 'bundle', 'bin', 'acheron.js');
/** The same as modules, for what looks at these; it takes twice as long to start. */
export const MODULES_PROGRAM = join(dist, 'bin', 'acheron.js');

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Runs `acheron …` to its end. */
export async function acheron(
  args: readonly string[],
  options: { stdin?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...cleanEnvironment(), NO_COLOR: '1', ...options.env },
    cwd: options.cwd,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(options.stdin ?? '');
  const [status] = (await once(child, 'close')) as [number | null];
  return { stdout, stderr, status };
}

export interface UpOptions {
  readonly manifests?: readonly JsonObject[];
  readonly binding?: 'kernel' | 'fuse-native' | 'auto';
  readonly bundled?: boolean;
  /** With a control plane beside the mount; tests that need none start without. */
  readonly control?: boolean;
  readonly args?: readonly string[];
  readonly stateDir?: string;
  readonly dir?: string;
  /** The limit of open files that it starts with, soft and hard. */
  readonly openFiles?: number;
}

/** A running `acheron up` with a mount of its own; ended and unmounted with the test. */
export class Up {
  readonly dir: string;
  readonly stateDir: string;
  readonly manifests: string;
  readonly child: ChildProcess;
  #said = '';
  #printed = '';
  readonly ended: Promise<number | null>;

  private constructor(dir: string, stateDir: string, manifests: string, child: ChildProcess) {
    this.dir = dir;
    this.stateDir = stateDir;
    this.manifests = manifests;
    this.child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#printed += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    this.ended = new Promise((resolve) => child.once('exit', (status) => resolve(status)));
  }

  static async start(t: Test, options: UpOptions = {}): Promise<Up> {
    const dir = options.dir ?? mountDirFor(t);
    const stateDir = options.stateDir ?? join(temporaryDir(t), 'state');
    const manifests = join(stateDir, '..', 'manifests');
    mkdirSync(manifests, { recursive: true });
    for (const manifest of options.manifests ?? [])
      writeFileSync(join(manifests, `${manifest.service_id as string}.json`), JSON.stringify(manifest));
    const args = [
      'up',
      dir,
      '--state-dir',
      stateDir,
      '--fuse-binding',
      options.binding ?? 'auto',
      '--services-dir',
      manifests,
      ...(options.bundled === true ? [] : ['--no-bundled']),
      ...(options.control === true ? [] : ['--no-control']),
      ...(options.args ?? []),
    ];
    const { openFiles } = options;
    const limit = openFiles === undefined ? [] : ['prlimit', `--nofile=${openFiles}:${openFiles}`, '--'];
    const argv = [...limit, process.execPath, PROGRAM, ...args];
    const child = spawn(argv[0]!, argv.slice(1), {
      env: { ...cleanEnvironment(), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const up = new Up(dir, stateDir, manifests, child);
    t.teardown(() => up.stop());
    await up.#ready();
    return up;
  }

  get said(): string {
    return this.#said;
  }

  /** What it printed on its standard output. */
  get printed(): string {
    return this.#printed;
  }

  service(id: string, file = ''): string {
    return join(this.dir, 'nodes', 'local', 'services', id, file);
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    return this.ended;
  }

  async #ready(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.child.stdout!.on('data', () => {
        if (this.#printed.includes('Mounted on')) resolve();
      });
    });
    const failed = this.ended.then((status) => {
      throw new Error(`acheron up ended with ${String(status)}: ${this.#said}${this.#printed}`);
    });
    await Promise.race([ready, failed]);
    failed.catch(() => undefined);
  }
}
