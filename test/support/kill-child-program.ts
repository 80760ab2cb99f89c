/**
 * The services of some nodes under load, to be killed together: says on stdout what each found at its start
 * (`found`), waits for a line on stdin, then works, and says what each begins and what was acknowledged. One
 * JSON line each, written at once.
 */
import { NodeHistory } from '../../lib/node/index.js';
import { once } from 'node:events';
import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog, systemClock, type JsonObject, type NodeId } from '../../lib/core/index.js';
import { FileLedger, createDriver, endLeftovers, type DriverContext } from '../../lib/drivers/index.js';
import { readManifest } from '../../lib/manifest/index.js';
import { localSession } from '../../lib/policy/index.js';
import { DiskReserve } from '../../lib/disk/index.js';
import { DEFAULT_JOB_LIMITS, NodeDir, ServiceHost } from '../../lib/services/index.js';
import { walk, type FileHandle, type OpenFlags } from '../../lib/vfs/index.js';

export interface KillRequest {
  readonly round: number;
  readonly nodes: readonly NodeRequest[];
}

export interface NodeRequest {
  readonly dir: string;
  readonly manifests: readonly JsonObject[];
  /** Requests that were answered before: asked again, they must be answered the same. */
  readonly again: readonly { readonly key: string; readonly n: number }[];
}

const NODE_ID = 'n1' as NodeId;
const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
const READ_WRITE: OpenFlags = { ...READ, write: true };

/** Each operation has a signal of its own: one for all would have a listener for each that is under way. */
const op = {
  session: localSession('admin'),
  get signal(): AbortSignal {
    return new AbortController().signal;
  },
};
const request = JSON.parse(process.argv[2]!) as KillRequest;
/** Its place in the request, and its tree. */
interface KilledNode {
  readonly at: number;
  readonly tree: NodeDir;
}

const nodes = await Promise.all(
  request.nodes.map(async ({ dir, manifests }, at) => ({ at, tree: await startServices(dir, manifests) })),
);
const found = nodes.map((node) => findings(node, request.nodes[node.at]!.again));
say({ type: 'found', nodes: await Promise.all(found) });
await once(process.stdin, 'data');
let n = 0;
// Another one is the first to work in each round.
const first = request.round % nodes.length;
await Promise.all(
  [...nodes.slice(first), ...nodes.slice(0, first)].flatMap((node) => [
    invoking(node, 'a'),
    invoking(node, 'b'),
    failing(node),
    configuring(node),
    switching(node),
    repeat(1, () => submitLong(node)),
  ]),
);

async function startServices(dir: string, manifests: readonly JsonObject[]): Promise<NodeDir> {
  const stateFile = join(dir, 'node.json');
  mkdirSync(dir, { recursive: true });
  await endLeftovers(`${stateFile}.processes`);
  const driverContext: DriverContext = {
    nodeId: NODE_ID,
    ledger: new FileLedger(`${stateFile}.processes`),
    driverUser: null,
    log: silentLog,
    clock: systemClock,
  };
  const history = new NodeHistory(`${stateFile}.history.ndjson`, { clock: systemClock, log: silentLog });
  const host = new ServiceHost({
    nodeId: NODE_ID,
    nodeName: NODE_ID,
    platform: 'test',
    clock: systemClock,
    log: silentLog,
    stateFile,
    jobsDir: `${stateFile}.jobs`,
    jobLimits: DEFAULT_JOB_LIMITS,
    fsync: false,
    reserve: new DiskReserve(`${stateFile}.reserve`, { log: silentLog, bytes: 0 }),
    driverContext,
    createDriver: (definition) => createDriver(definition, driverContext),
    inputCheck: () => () => null,
    audit: () => undefined,
    auditedEnd: () => true,
    history: () => history,
    nodeProjects: () => [],
  });
  const node = new NodeDir(host, { labels: {}, version: '0', providers: new Map() });
  const added = manifests.map((manifest) => {
    const { definition } = readManifest(JSON.stringify(manifest), {
      file: join(dir, 'x.json'),
      nodeId: NODE_ID,
    });
    if (definition === undefined) throw new TypeError('a faulty manifest');
    return definition;
  });
  host.apply({ added, updated: [], removed: [] });
  return node;
}

async function findings(node: KilledNode, asked: NodeRequest['again']): Promise<object> {
  const before = await json(node, 'ok', 'metrics.json');
  const again = [];
  for (const { key, n } of asked) {
    const reply = await invoke(node, 'ok', { _key: key, n }).catch((thrown: unknown) => String(thrown));
    again.push({ key, n, reply });
  }
  const after = await json(node, 'ok', 'metrics.json');
  const services: Record<string, object> = {};
  for (const id of ['ok', 'bad', 'switched', 'long'])
    services[id] = {
      config: await json(node, id, 'config.json'),
      metrics: await json(node, id, 'metrics.json'),
      health: await json(node, id, 'health.json'),
      status: await json(node, id, 'status.json'),
      result: await json(node, id, 'result.json'),
      error: await read(node, id, 'last_error.txt'),
    };
  return { services, again, ranAgain: Number(after.invokes_total) - Number(before.invokes_total) };
}

async function invoking(node: KilledNode, worker: string): Promise<void> {
  await repeat(Infinity, async () => {
    const number = request.round * 10_000 + ++n;
    const key = `${worker}-${number}`;
    say({ at: node.at, type: 'begin', what: 'ok', n: number });
    const reply = await invoke(node, 'ok', { _key: key, n: number });
    say({ at: node.at, type: 'done', what: 'ok', key, n: number, reply });
  });
}

async function failing(node: KilledNode): Promise<void> {
  await repeat(Infinity, async () => {
    say({ at: node.at, type: 'begin', what: 'bad' });
    await invoke(node, 'bad', {}).catch(() => undefined);
    say({ at: node.at, type: 'done', what: 'bad' });
  });
}

async function configuring(node: KilledNode): Promise<void> {
  await repeat(Infinity, async (turn) => {
    const v = request.round * 10_000 + turn;
    say({ at: node.at, type: 'begin', what: 'config', n: v });
    await write(node, 'ok', 'config.json', JSON.stringify({ v }));
    say({ at: node.at, type: 'done', what: 'config', n: v });
  });
}

async function switching(node: KilledNode): Promise<void> {
  await repeat(Infinity, async (turn) => {
    const control = turn % 2 === 0 ? 'enable' : 'disable';
    say({ at: node.at, type: 'begin', what: 'switch', control });
    await write(node, 'switched', `control/${control}`, '1');
    say({ at: node.at, type: 'done', what: 'switch', control });
  });
}

async function submitLong(node: KilledNode): Promise<void> {
  const handle = await open(node, 'long', 'control/submit.json');
  await handle.write(0, Buffer.from('{}'), op);
  const { invocation_id: id } = JSON.parse(await readAll(handle, 2)) as { invocation_id: string };
  await handle.release();
  say({ at: node.at, type: 'done', what: 'long', id });
}

async function repeat(times: number, act: (turn: number) => Promise<void>): Promise<void> {
  for (let turn = 1; turn <= times; turn++) {
    await act(turn);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
  }
}

async function invoke(node: KilledNode, id: string, payload: object): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(payload));
  const handle = await open(node, id, 'control/invoke.json');
  try {
    await handle.write(0, bytes, op);
    return await readAll(handle, bytes.length);
  } finally {
    await handle.release();
  }
}

async function write(node: KilledNode, id: string, file: string, text: string): Promise<void> {
  const handle = await open(node, id, file);
  await handle.write(0, Buffer.from(text), op);
  await handle.flush?.(op);
  await handle.release();
}

async function open({ tree }: KilledNode, id: string, file: string, flags = READ_WRITE): Promise<FileHandle> {
  const found = await walk(tree, `/services/${id}/${file}`, op);
  if (found.kind !== 'file') throw new TypeError(`${file} is no file`);
  return found.open(flags, op);
}

async function read(node: KilledNode, id: string, file: string): Promise<string> {
  const handle = await open(node, id, file, READ);
  const text = await readAll(handle, 0);
  await handle.release();
  return text;
}

async function json(node: KilledNode, id: string, file: string): Promise<Record<string, unknown>> {
  return JSON.parse(await read(node, id, file)) as Record<string, unknown>;
}

async function readAll(handle: FileHandle, from: number): Promise<string> {
  const bytes = await handle.read(from, 1024 * 1024, op);
  return Buffer.from(bytes).toString();
}

function say(fact: object): void {
  writeSync(1, `${JSON.stringify(fact)}\n`);
}
