import { Emitter, FsError, isJsonObject } from '../core/index.js';
import { walk, type DirNode, type Op } from '../vfs/index.js';
import { READ, readText, type SeenTree } from '../worldfs/index.js';
import { toolFromDescriptor, type ServiceTool } from './service-tool.js';

export interface Selection {
  /** Of this node alone. */
  readonly node?: string | undefined;
  /** Services, or `node/service`, that are offered and no others; `*` stands for any characters. */
  readonly only?: readonly string[] | undefined;
}

/** How many services are looked at side by side. */
const AT_ONCE = 64;
/** As long as a mount shows descriptors while it is not connected. */
const KEEP_MS = 10 * 60 * 1000;
/** How long news are gathered before they are looked into: a reload touches many things. */
const GATHER_MS = 100;

/**
 * The services that a session may invoke. What they are is what the tree shows of them: a control file that may be
 * written is a tool. It is looked at when it is asked for, and again once something of what was looked at has changed.
 */
export class ToolCatalog {
  /** The list of tools is another one. */
  readonly changed = new Emitter<void>();
  readonly #tree: SeenTree;
  readonly #matches: (nodeId: string, serviceId: string) => boolean;
  readonly #node: string | undefined;
  readonly #known = new Map<string, { readonly text: string; readonly tool: ServiceTool }>();
  /** The nodes of the tree whose changes concern the list. */
  #watched: ReadonlySet<bigint> = new Set();
  /** The same of a look that goes on. */
  #looking: Set<bigint> | undefined;
  #loaded: Promise<ReadonlyMap<string, ServiceTool>> | undefined;
  #kept: { readonly tools: ReadonlyMap<string, ServiceTool>; readonly atMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: () => void;

  constructor(tree: SeenTree, { node, only }: Selection = {}) {
    this.#tree = tree;
    this.#node = node;
    this.#matches = matcherOf(only);
    this.#stopListening = tree.changes.on((change) => {
      if (change.what === 'all' || this.#watched.has(change.ino) || this.#looking?.has(change.ino) === true)
        this.doubt();
    });
  }

  /**
   * By name, in the order of nodes and services. Where the tree is away for a while, as it was: calls fail then, and say so.
   * @throws FsError EHOSTDOWN where it is away for longer, EACCES for a session that was revoked
   */
  tools(): Promise<ReadonlyMap<string, ServiceTool>> {
    return (this.#loaded ??= this.#load().catch((thrown: unknown) => {
      this.#loaded = undefined;
      const kept = this.#kept;
      const isAway = FsError.from(thrown).code === 'EHOSTDOWN';
      if (isAway && kept !== undefined && Date.now() - kept.atMs < KEEP_MS) return kept.tools;
      throw thrown;
    }));
  }

  /** What is known may be no longer so. */
  doubt(): void {
    this.#loaded = undefined;
    if (this.changed.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // Where nobody can be asked now, the next change or the next question will show.
      this.tools().catch(() => undefined);
    }, GATHER_MS).unref();
  }

  close(): void {
    this.#stopListening();
    clearTimeout(this.#timer);
    this.#loaded = undefined;
  }

  async #load(): Promise<ReadonlyMap<string, ServiceTool>> {
    const watched = (this.#looking = new Set<bigint>());
    const nodes = await this.#nodes(watched);
    const found = (await Promise.all(nodes.map((nodeId) => this.#servicesOf(nodeId, watched)))).flat();
    const queue = found.entries();
    const loaded: (ServiceTool | undefined)[] = [];
    const worker = async (): Promise<void> => {
      for (const [index, service] of queue) loaded[index] = await this.#toolOf(service, watched);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const tools = new Map<string, ServiceTool>();
    for (const tool of loaded) if (tool !== undefined && !tools.has(tool.name)) tools.set(tool.name, tool);
    const paths = new Set(found.map(({ path }) => path));
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
    this.#watched = watched;
    if (this.#looking === watched) this.#looking = undefined;
    this.#keep(tools);
    return tools;
  }

  #keep(tools: ReadonlyMap<string, ServiceTool>): void {
    const before = this.#kept?.tools;
    this.#kept = { tools, atMs: Date.now() };
    if (before !== undefined && !isSame(before, tools)) this.changed.emit();
  }

  async #nodes(watched: Set<bigint>): Promise<string[]> {
    const op = this.#tree.op();
    const nodes = await walk(this.#tree.root, '/nodes', op);
    watched.add(nodes.ino);
    if (nodes.kind !== 'dir') return [];
    const entries = await nodes.list(op);
    return entries
      .filter(({ kind, name }) => kind === 'dir' && (this.#node === undefined || this.#node === name))
      .map(({ name }) => name);
  }

  async #servicesOf(nodeId: string, watched: Set<bigint>): Promise<Found[]> {
    try {
      const op = this.#tree.op();
      for (const path of [`/nodes/${nodeId}`, `/nodes/${nodeId}/services`])
        watched.add((await walk(this.#tree.root, path, op)).ino);
      const index = JSON.parse(
        await readText(this.#tree, `/nodes/${nodeId}/services/SERVICES.json`),
      ) as readonly IndexLine[];
      return index
        .filter((line) => line.has_invoke && this.#matches(nodeId, line.service_id))
        .map((line) => ({ nodeId, serviceId: line.service_id, path: line.service_path }));
    } catch (thrown) {
      // It has gone meanwhile.
      if (isAbsent(thrown)) return [];
      throw thrown;
    }
  }

  async #toolOf(service: Found, watched: Set<bigint>): Promise<ServiceTool | undefined> {
    const { path } = service;
    try {
      const op = this.#tree.op();
      const dir = await walk(this.#tree.root, path, op);
      watched.add(dir.ino);
      if (dir.kind !== 'dir') return undefined;
      const control = await walk(dir, 'control/invoke.json', op);
      if (((await control.stat(op)).mode & 0o222) === 0) return undefined;
      const text = await descriptorIn(dir, op, watched);
      const known = this.#known.get(path);
      if (known?.text === text) return known.tool;
      const descriptor: unknown = JSON.parse(text);
      if (!isJsonObject(descriptor)) return undefined;
      const tool = toolFromDescriptor(service, descriptor);
      this.#known.set(path, { text, tool });
      return tool;
    } catch (thrown) {
      if (isAbsent(thrown)) return undefined;
      throw thrown;
    }
  }
}

/** The text of a service's SERVICE.json. */
async function descriptorIn(dir: DirNode, op: Op, watched: Set<bigint>): Promise<string> {
  const file = await walk(dir, 'SERVICE.json', op);
  if (file.kind !== 'file') throw new FsError('ENOENT', 'The service has no descriptor.');
  const handle = await file.open(READ, op);
  try {
    const { ino, size } = await handle.stat(op);
    watched.add(ino);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < size;) {
      const bytes = await handle.read(at, size - at, op);
      if (bytes.length === 0) break;
      parts.push(bytes);
      at += bytes.length;
    }
    return Buffer.concat(parts).toString();
  } finally {
    await handle.release();
  }
}

/** What a service has been made a tool of, once, stays the same object while its descriptor does. */
function isSame(one: ReadonlyMap<string, ServiceTool>, other: ReadonlyMap<string, ServiceTool>): boolean {
  return one.size === other.size && [...one].every(([name, tool]) => other.get(name) === tool);
}

/** What matters here of a line of SERVICES.json. */
interface IndexLine {
  readonly service_id: string;
  readonly service_path: string;
  readonly has_invoke: boolean;
}

interface Found {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly path: string;
}

/** Gone, or hidden from now on. */
function isAbsent(thrown: unknown): boolean {
  return ['ENOENT', 'ESTALE'].includes(FsError.from(thrown).code);
}

function matcherOf(only: readonly string[] | undefined): (nodeId: string, serviceId: string) => boolean {
  if (only === undefined || only.length === 0) return () => true;
  const patterns = only.map((text) => ({
    hasNode: text.includes('/'),
    pattern: new RegExp(
      `^${text
        .split('*')
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    ),
  }));
  return (nodeId, serviceId) =>
    patterns.some(({ hasNode, pattern }) => pattern.test(hasNode ? `${nodeId}/${serviceId}` : serviceId));
}
