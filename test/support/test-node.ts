import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog, type JsonObject, type NodeId } from '../../lib/core/index.js';
import { runNode, type RunningNode, type RunningNodeOptions } from '../../lib/compose/index.js';
import { localSession, type Session } from '../../lib/policy/index.js';
import { walk, type FileHandle, type OpenFlags, type Op } from '../../lib/vfs/index.js';
import { World } from '../../lib/worldfs/index.js';

export interface Teardown {
  teardown(callback: () => unknown): void;
}

export const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
export const WRITE: OpenFlags = { ...READ, read: false, write: true };
export const READ_WRITE: OpenFlags = { ...READ, write: true };

/** A manifest of a service that runs `script` with sh(1). */
export function shellManifest(
  serviceId: string,
  script: string,
  more: { runtime?: JsonObject; [field: string]: unknown } = {},
): JsonObject {
  const { runtime, ...fields } = more;
  return {
    service_id: serviceId,
    kind: 'test',
    runtime: { type: 'native_proc', executable_path: 'sh', args: ['-c', script], ...runtime },
    permissions: { allow_roles: ['admin', 'user'] },
    ...fields,
  };
}

export function temporaryDir(t: Teardown): string {
  const dir = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A node in this process, seen without a mount: the files of its tree as one session has them. */
export class TestNode {
  readonly dir: string;
  readonly manifests: string;
  node: RunningNode;
  world: World;
  readonly #options: Partial<RunningNodeOptions>;

  private constructor(dir: string, node: RunningNode, options: Partial<RunningNodeOptions>) {
    this.dir = dir;
    this.manifests = join(dir, 'manifests');
    this.node = node;
    this.world = worldOf(node);
    this.#options = options;
  }

  static async start(
    t: Teardown,
    manifests: readonly JsonObject[],
    options: Partial<RunningNodeOptions> = {},
  ): Promise<TestNode> {
    const dir = temporaryDir(t);
    mkdirSync(join(dir, 'manifests'));
    for (const manifest of manifests)
      writeFileSync(
        join(dir, 'manifests', `${manifest.service_id as string}.json`),
        JSON.stringify(manifest),
      );
    return TestNode.on(t, dir, options);
  }

  /** Starts a node with the manifests and the state that `dir` has. */
  static async on(t: Teardown, dir: string, options: Partial<RunningNodeOptions> = {}): Promise<TestNode> {
    const node = await runNode(optionsFor(dir, options));
    const started = new TestNode(dir, node, options);
    t.teardown(() => started.node.close());
    return started;
  }

  /** Stops the node and starts it again on the same state. */
  async restart(): Promise<void> {
    await this.node.close();
    this.node = await runNode(optionsFor(this.dir, this.#options));
    this.world = worldOf(this.node);
  }

  op(session: Session = ADMIN, signal: AbortSignal = new AbortController().signal): Op {
    return { session, signal };
  }

  path(serviceId: string, file: string): string {
    return `/nodes/n1/services/${serviceId}/${file}`;
  }

  async open(path: string, flags: OpenFlags, session: Session = ADMIN): Promise<FileHandle> {
    const node = await walk(this.world.root, path, this.op(session));
    if (node.kind !== 'file') throw new TypeError(`${path} is no file`);
    return node.open(flags, this.op(session));
  }

  async read(path: string, session: Session = ADMIN): Promise<string> {
    const handle = await this.open(path, READ, session);
    try {
      return await readAll(handle, this.op(session));
    } finally {
      await handle.release();
    }
  }

  async json<Shape = Record<string, unknown>>(path: string, session: Session = ADMIN): Promise<Shape> {
    return JSON.parse(await this.read(path, session)) as Shape;
  }

  /** Opens, writes once, closes; answers as the shell's `echo … > path` would. */
  async write(
    path: string,
    text: string | Uint8Array,
    session: Session = ADMIN,
    signal?: AbortSignal,
  ): Promise<void> {
    const handle = await this.open(path, WRITE, session);
    const op = this.op(session, signal);
    try {
      await handle.write(0, Buffer.from(text as string), op);
      await handle.flush?.(op);
    } finally {
      await handle.release();
    }
  }

  async names(path: string, session: Session = ADMIN): Promise<string[]> {
    const node = await walk(this.world.root, path, this.op(session));
    if (node.kind !== 'dir') throw new TypeError(`${path} is no directory`);
    return (await node.list(this.op(session))).map(({ name }) => name);
  }
}

export async function readAll(handle: FileHandle, op: Op, from = 0): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let at = from; ;) {
    const bytes = await handle.read(at, 65536, op);
    if (bytes.length === 0) return Buffer.concat(parts).toString();
    parts.push(Buffer.from(bytes));
    at += bytes.length;
  }
}

export const ADMIN = localSession('admin');
export const USER = localSession('user', 'agent-1', 'user-session');
export const OTHER_USER = localSession('user', 'agent-2', 'other-session');

/** The errno that `act` fails with; null when it does not fail. */
export async function errnoOf(act: () => unknown): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
}

function worldOf(node: RunningNode): World {
  return new World({ nodes: node, events: node.events, now: () => Date.now() });
}

export function optionsFor(dir: string, options: Partial<RunningNodeOptions>): RunningNodeOptions {
  return {
    nodeId: 'n1' as NodeId,
    nodeName: 'n1',
    labels: {},
    version: '0.0.0',
    stateFile: join(dir, 'state', 'node.json'),
    manifestFiles: [],
    servicesDirs: [join(dir, 'manifests')],
    reloadIntervalMs: 0,
    trustWritable: false,
    fsync: false,
    driverUser: null,
    exports: [],
    terminals: [],
    mountDir: null,
    log: silentLog,
    ...options,
  };
}
