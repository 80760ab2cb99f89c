import type { Command } from 'commander';
import { Client } from '../../client/index.js';
import type { ControlClient } from '../../control/index.js';
import { ownValue, type JsonObject } from '../../core/index.js';
import { walk, type DirEntry } from '../../vfs/index.js';
import { findService } from '../../worldfs/index.js';
import { withControl, type ControlFlags } from '../control-access.js';
import { openTree, type AccessFlags, type Tree } from '../tree-access.js';
import type { Candidate } from './candidate.js';
import { payloadCandidates } from './payload-candidates.js';
import type { TypedLine } from './typed-line.js';

export type LiveSource =
  'services' | 'payload' | 'nodes' | 'projects' | 'paths' | 'jobs' | 'tokens' | 'pairings';

/** Services whose jobs are looked through, and jobs that are offered. */
const MAX_JOB_SERVICES = 100;
const MAX_JOBS = 100;

/** Names of what there is, for a session of the options that were typed, of the environment and of the config file. */
export async function liveValues(
  source: LiveSource,
  line: TypedLine,
  current: string,
  signal: AbortSignal,
): Promise<readonly Candidate[]> {
  const command = await settled(line);
  const ofTree = command.options.some(({ long }) => long === '--state-file') ? OF_TREE[source] : undefined;
  if (ofTree === undefined) {
    const ofPlane = OF_PLANE[source];
    if (ofPlane === undefined) return [];
    return withControl(command, command.opts<ControlFlags>(), ({ client }) => ofPlane(client, current));
  }
  const tree = await openTree(command.opts<AccessFlags>());
  try {
    return await ofTree({ tree, line, current, signal });
  } finally {
    await tree.close();
  }
}

/** The command with its options as they would be if it ran, where nothing that is missing or wrong stands in the way. */
async function settled({ command, path, options }: TypedLine): Promise<Command> {
  let program = command;
  while (program.parent !== null) program = program.parent;
  for (const argument of command.registeredArguments) argument.argOptional();
  for (const option of command.options) option.makeOptionMandatory(false);
  silence(program);
  await program.parseAsync(['node', 'acheron', ...path, ...options]);
  return command;
}

function silence(command: Command): void {
  command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  command.action(() => undefined);
  for (const sub of command.commands) silence(sub);
}

interface InTree {
  readonly tree: Tree;
  readonly line: TypedLine;
  readonly current: string;
  readonly signal: AbortSignal;
}

const OF_TREE: { readonly [Source in LiveSource]?: (at: InTree) => Promise<readonly Candidate[]> } = {
  services: async (at) => (at.current.startsWith('/') ? pathsOf(at) : servicesOf(at)),
  payload: payloadOf,
  nodes: async ({ tree, signal }) => (await dirsIn(tree, '/nodes', signal)).map((value) => ({ value })),
  paths: pathsOf,
  jobs: async (at) => (at.current.includes('/') ? pathsOf(at) : jobsOf(at)),
};

async function servicesOf({ tree, line, current, signal }: InTree): Promise<Candidate[]> {
  const all = (await new Client(tree).services({ signal })).map((entry) => ({
    nodeId: textOf(entry, 'node_id'),
    serviceId: textOf(entry, 'service_id'),
    about: textOf(entry, 'summary'),
    hasInvoke: entry['has_invoke'] === true,
  }));
  const isCall = line.command.name() === 'invoke';
  return serviceNames(
    all.filter(({ hasInvoke }) => hasInvoke || !isCall),
    current,
  );
}

interface NamedService {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly about: string;
}

/** The id alone where that says which service is meant; else, and where a node was begun, with the node. */
function serviceNames(services: readonly NamedService[], current: string): Candidate[] {
  const counts = new Map<string, number>();
  for (const { serviceId } of services) counts.set(serviceId, (counts.get(serviceId) ?? 0) + 1);
  return services.map(({ nodeId, serviceId, about }) => ({
    value: current.includes('/') || counts.get(serviceId) !== 1 ? `${nodeId}/${serviceId}` : serviceId,
    about,
  }));
}

async function payloadOf({ tree, line, current, signal }: InTree): Promise<readonly Candidate[]> {
  const [service = '', ...items] = line.operands;
  const path = await findService(tree.root, service, tree.op(signal));
  const { input, template } = await new Client(tree).describe(path, { signal });
  return payloadCandidates(input, template, items, current);
}

/** A directory has a slash behind it, so that its entries may follow. */
async function pathsOf({ tree, current, signal }: InTree): Promise<Candidate[]> {
  const head = current.slice(0, current.lastIndexOf('/') + 1);
  const op = tree.op(signal);
  const dir = await walk(tree.root, `/${head}`, op);
  if (dir.kind !== 'dir') return [];
  const entries: readonly DirEntry[] = await dir.list(op);
  return entries
    .map(({ name, kind }) => ({ value: `${head === '' ? '/' : head}${name}${kind === 'dir' ? '/' : ''}` }))
    .sort((one, other) => (one.value < other.value ? -1 : 1));
}

/** Ids of jobs, the newest first. */
async function jobsOf({ tree, signal }: InTree): Promise<Candidate[]> {
  const services = (await new Client(tree).services({ signal })).slice(0, MAX_JOB_SERVICES);
  const found = await Promise.all(
    services.map(async (entry) => {
      const [node, service] = [textOf(entry, 'node_id'), textOf(entry, 'service_id')];
      const names = await dirsIn(tree, `/nodes/${node}/services/${service}/jobs`, signal).catch(() => []);
      return names
        .filter((name) => name !== 'by-key')
        .map((value) => ({ value, about: `${node}/${service}` }));
    }),
  );
  const newestFirst = found.flat().sort((one, other) => (one.value > other.value ? -1 : 1));
  return newestFirst.slice(0, MAX_JOBS);
}

async function dirsIn(tree: Tree, path: string, signal: AbortSignal): Promise<string[]> {
  const op = tree.op(signal);
  const dir = await walk(tree.root, path, op);
  const entries = dir.kind === 'dir' ? await dir.list(op) : [];
  return entries.filter(({ kind }) => kind === 'dir').map(({ name }) => name);
}

type OfPlane = (client: ControlClient, current: string) => Promise<readonly Candidate[]>;

const OF_PLANE: { readonly [Source in LiveSource]?: OfPlane } = {
  nodes: async (client) =>
    (await client.requestAll('node_list', {})).nodes.map(({ node_id, state }) => ({
      value: node_id,
      about: state,
    })),
  services: async (client, current) => {
    const { nodes } = await client.requestAll('node_list', {});
    const all = nodes.map(async ({ node_id }) => {
      const { services } = await client.requestAll('node_service_get', { node_id });
      return services.map((one) => ({
        nodeId: node_id,
        serviceId: textOf(one, 'service_id'),
        about: textOf(one, 'kind'),
      }));
    });
    return serviceNames((await Promise.all(all)).flat(), current);
  },
  projects: async (client) =>
    (await client.requestAll('project_list', {})).projects.map(({ project_id, description }) => ({
      value: project_id,
      about: description ?? undefined,
    })),
  tokens: async (client) =>
    (await client.requestAll('token_list', {})).tokens.map(({ token_id, role, label }) => ({
      value: token_id,
      about: [role, label].filter((part) => part !== null).join(' '),
    })),
  pairings: async (client) =>
    (await client.requestAll('node_join_pending_list', {})).pending.map(
      ({ verification_code, node_name, address }) => ({
        value: verification_code,
        about: `${node_name} at ${address}`,
      }),
    ),
};

function textOf(object: object, name: string): string {
  const value = ownValue(object as JsonObject, name);
  return typeof value === 'string' ? value : '';
}
