import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { abortMount, mountEntryAt, type BindingName, type CloseReason } from '../../lib/fuse/index.js';

/** A tree that the child can build by itself: `module` is a URL, `name` an exported function in it. */
export interface Fixture {
  readonly module: string;
  readonly name: string;
  readonly argument?: unknown;
}

export const referenceFixture: Fixture = {
  module: new URL('reference-tree.js', import.meta.url).href,
  name: 'createReferenceTree',
};

export interface MountRequest {
  readonly fixture: Fixture;
  readonly binding: BindingName;
  readonly dir: string;
  readonly allowOther?: boolean;
  readonly allowUids?: readonly number[];
  readonly role?: 'admin' | 'user';
  /** How the kernel binding reads; its own choice unless given. */
  readonly reader?: 'pipe' | 'thread';
}

export type FromChild =
  | { readonly type: 'ready'; readonly dir: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'closed'; readonly how: CloseReason['how'] };

export interface MountedChild {
  readonly dir: string;
  readonly pid: number;
  /** How the mount ended, as the child reports it. Rejects when the child ends without saying. */
  readonly closed: Promise<CloseReason['how']>;
  /** What the child printed and logged so far. */
  output(): string;
  /** Asks the child to unmount, and waits until it has ended. */
  unmount(): Promise<void>;
  /** Ends the child with a signal and waits until it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('mount-child-program.js', import.meta.url));
const START_MS = 60_000;
const END_MS = 20_000;

/** A fresh directory to mount on; it goes after the test, once nothing is mounted there. */
export function mountDirFor(t: Test): string {
  const top = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  const dir = join(top, 'mnt');
  t.teardown(async () => {
    for (let entry = mountEntryAt(dir); entry !== undefined; entry = mountEntryAt(dir))
      await abortMount(entry);
    rmSync(top, { recursive: true, force: true });
  });
  return dir;
}

/**
 * Mounts a fixture tree in a process of its own, so that a fault cannot wedge the test. Whatever happens,
 * the teardown leaves neither mount nor process.
 * @throws Error with the child's `code` where it could not mount.
 */
export async function mountChild(
  t: Test,
  {
    execPath,
    ...request
  }: Omit<MountRequest, 'dir'> & {
    readonly dir?: string;
    /** The Node to mount by; this one unless given. */
    readonly execPath?: string;
  },
): Promise<MountedChild> {
  const dir = request.dir ?? mountDirFor(t);
  const child = fork(PROGRAM, [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: cleanEnvironment(),
    execArgv: [],
    ...(execPath === undefined ? {} : { execPath }),
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = once(child, 'exit');
  t.teardown(() => endChild(child, exited, dir));

  const heard = new Map<FromChild['type'], (message: FromChild) => void>();
  child.on('message', (message: FromChild) => heard.get(message.type)?.(message));
  const closed = new Promise<CloseReason['how']>((resolve, reject) => {
    heard.set('closed', (message) => message.type === 'closed' && resolve(message.how));
    exited.then(() => reject(new Error(`The mounting process ended without a word.\n${output}`)), reject);
  });
  closed.catch(() => undefined);

  child.send({ ...request, dir } satisfies MountRequest);
  const ready = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Not mounted after ${START_MS} ms.\n${output}`)),
      START_MS,
    );
    heard.set('ready', (message) => message.type === 'ready' && resolve(message.dir));
    heard.set('failed', (message) => {
      if (message.type === 'failed')
        reject(Object.assign(new Error(message.message), { code: message.code }));
    });
    exited.then(() => reject(new Error(`The mounting process ended.\n${output}`)), reject);
    t.teardown(() => clearTimeout(timer));
  });

  return {
    dir: ready,
    pid: child.pid!,
    closed,
    output: () => output,
    async unmount() {
      sendUnmount(child);
      await exited;
    },
    async kill(signal) {
      child.kill(signal);
      await exited;
    },
  };
}

async function endChild(child: ChildProcess, exited: Promise<unknown>, dir: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  sendUnmount(child);
  const timer = setTimeout(() => {
    const entry = mountEntryAt(dir);
    child.kill('SIGKILL');
    if (entry !== undefined) void abortMount(entry);
  }, END_MS);
  await exited;
  clearTimeout(timer);
}

/** The child may be ending by itself, and then hears nothing any more. */
function sendUnmount(child: ChildProcess): void {
  if (child.connected) child.send('unmount', () => undefined);
}

/** Without what the test runner adds for its own children. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TAP') && name !== 'NODE_OPTIONS'),
  );
}
