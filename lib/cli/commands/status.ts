import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { eachOf, FsError, isJsonObject, type JsonObject } from '../../core/index.js';
import { probeAddress, type AddressProbe } from '../../control/client/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { addressesIn } from '../../transport/index.js';
import { walk } from '../../vfs/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { EXIT } from '../failure.js';
import { jsonOption, stateFileOption } from '../options.js';
import { plain, printJson, printLine, printTable } from '../print.js';
import { readText } from '../../worldfs/index.js';
import { socketPath } from '../socket-path.js';
import { openTree, type AccessFlags, type Tree } from '../tree-access.js';

/** Services whose health is asked for side by side. */
const LOOKS_AT_ONCE = 16;

type Flags = ControlFlags & { readonly stateFile?: string; readonly json?: boolean };

interface PlaneStatus {
  /** The address that is in use. */
  readonly url: string;
  /** All addresses that were given, and how the control plane at each says that it is. */
  readonly addresses: readonly AddressProbe[];
  readonly session: string | null;
  readonly role: string;
  readonly agent_id: string | null;
  readonly project_id: string | null;
  readonly nodes: readonly NodeStatus[];
  /** The control planes over one store, for admins; null where there is one with a database of its own. */
  readonly replication: ControlReply<'replica_list'> | null;
}

interface NodeStatus {
  readonly node_id: string;
  readonly state: string;
  readonly services: number;
}

/** A service of a node that runs on this machine. */
interface ServiceStatus {
  readonly node_id: string;
  readonly service_id: string;
  readonly state: string;
  readonly last_error: string | null;
}

export function statusCommand(): Command {
  const command = new Command('status')
    .description(
      'Say how things are: the control plane, your session, the nodes, and the health of the services of the\nnode that runs with this state directory.',
    )
    .addOption(stateFileOption())
    .addOption(jsonOption());
  return addControlOptions(command)
    .addHelpText('after', '\nExit status: 1 when neither is there.\n\nExample:\n  $ acheron status')
    .action((flags: Flags, self: Command) => status(self, flags));
}

async function status(self: Command, flags: Flags): Promise<void> {
  const [plane, local] = await Promise.all([
    orFailure(() => planeStatus(self, flags)),
    existsSync(socketPath(flags.stateDir, flags.stateFile)) ? orFailure(() => localServices(flags)) : null,
  ]);
  if (plane instanceof FsError && (local === null || local instanceof FsError))
    process.exitCode = EXIT.failed;
  if (flags.json === true)
    return printJson({ control_plane: documentOf(plane), local_services: documentOf(local) });
  await printPlane(plane);
  await printLocal(local, flags.stateDir);
}

async function orFailure<Value>(look: () => Promise<Value>): Promise<Value | FsError> {
  try {
    return await look();
  } catch (thrown) {
    if (FsError.is(thrown)) return thrown;
    throw thrown;
  }
}

function documentOf(value: unknown): unknown {
  if (!FsError.is(value)) return value;
  return { error: { code: value.code, message: value.message, hint: value.hint ?? null } };
}

function planeStatus(self: Command, flags: Flags): Promise<PlaneStatus> {
  return withControl(self, flags, async ({ client, url, ca }) => {
    const { session, role, agent_id, project_id } = await client.ready();
    const { nodes } = await client.requestAll('node_list', {});
    // A control plane of an earlier release knows of none.
    const found = role === 'admin' ? await client.request('replica_list', {}).catch(() => null) : null;
    return {
      url: client.url,
      addresses: await Promise.all(addressesIn(url).map((one) => probeAddress(one, ca))),
      session,
      role,
      agent_id,
      project_id,
      replication: found === null || found.replica === null ? null : found,
      nodes: nodes.map(({ node_id, state, services }) => ({ node_id, state, services })),
    };
  });
}

const localOf = ({ stateDir, stateFile }: Flags): AccessFlags => ({
  stateDir,
  ...(stateFile === undefined ? {} : { stateFile }),
});

async function localServices(flags: Flags): Promise<ServiceStatus[]> {
  const tree = await openTree(localOf(flags));
  try {
    const found: ServiceStatus[] = [];
    for (const nodeId of await dirsIn(tree, '/nodes')) {
      const serviceIds = await dirsIn(tree, `/nodes/${nodeId}/services`);
      const statuses = new Map<string, ServiceStatus>();
      await eachOf(serviceIds, LOOKS_AT_ONCE, async (serviceId) => {
        const health = await healthOf(tree, `/nodes/${nodeId}/services/${serviceId}`);
        const { state, last_error } = health;
        statuses.set(serviceId, {
          node_id: nodeId,
          service_id: serviceId,
          state: typeof state === 'string' ? state : 'unknown',
          last_error: typeof last_error === 'string' ? last_error : null,
        });
      });
      found.push(...serviceIds.flatMap((serviceId) => statuses.get(serviceId) ?? []));
    }
    return found;
  } finally {
    await tree.close();
  }
}

/** The directories in a directory; none where it went away meanwhile. */
async function dirsIn(tree: Tree, path: string): Promise<string[]> {
  try {
    const op = tree.op();
    const dir = await walk(tree.root, path, op);
    const entries = dir.kind === 'dir' ? await dir.list(op) : [];
    return entries.filter(({ kind }) => kind === 'dir').map(({ name }) => name);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return [];
    throw thrown;
  }
}

async function healthOf(tree: Tree, path: string): Promise<JsonObject> {
  try {
    const health: unknown = JSON.parse(await readText(tree, `${path}/health.json`));
    return isJsonObject(health) ? health : {};
  } catch (thrown) {
    return { last_error: FsError.from(thrown).message };
  }
}

async function printPlane(plane: PlaneStatus | FsError): Promise<void> {
  if (plane instanceof FsError)
    return printLine(`control plane: ${plane.message}${plane.hint === undefined ? '' : `\n  ${plane.hint}`}`);
  const { url, addresses, role, agent_id, project_id, session, nodes, replication } = plane;
  await printLine(`control plane: ${url}`);
  if (addresses.length > 1)
    await printTable(
      ['ADDRESS', 'STATE', 'WHY'],
      addresses.map((one) => [
        one.url,
        one.url === url ? `${one.state}, in use` : one.state,
        plain(one.reason ?? ''),
      ]),
    );
  await printLine(
    `session: ${session ?? '-'}, ${role}, agent ${agent_id ?? '-'}, project ${project_id ?? '-'}`,
  );
  if (replication !== null) await printReplicas(replication);
  if (nodes.length === 0) return printLine('nodes: none that you may see');
  await printTable(
    ['NODE', 'STATE', 'SERVICES'],
    nodes.map(({ node_id, state, services }) => [node_id, state, services]),
  );
}

async function printReplicas({
  replica: self,
  engine,
  host,
  lag,
  lease_left_ms: leftMs,
  replicas,
}: ControlReply<'replica_list'>): Promise<void> {
  await printLine(
    `store: ${engine} at ${host ?? 'no host: it cannot be reached'}, ${lag} entries behind, lease ${(leftMs / 1000).toFixed(1)} s`,
  );
  await printTable(
    ['REPLICA', 'ADDRESS', 'VERSION', 'BEHIND', 'LEASE', 'NODES'],
    replicas.map(({ replica, address, version, lag: behind, lease_left_ms: lease, nodes }) => [
      replica === self ? `${replica} (this one)` : replica,
      ...[address, version, behind, `${(lease / 1000).toFixed(1)} s`, nodes],
    ]),
  );
}

async function printLocal(local: readonly ServiceStatus[] | FsError | null, stateDir: string): Promise<void> {
  if (local === null) return printLine(`node: none runs with the state directory ${stateDir}`);
  if (local instanceof FsError) return printLine(`node: ${local.message}`);
  await printTable(
    ['SERVICE', 'HEALTH', 'LAST ERROR'],
    local.map(({ node_id, service_id, state, last_error }) => [
      `${node_id}/${service_id}`,
      state,
      last_error === null ? '' : last_error.split('\n')[0],
    ]),
  );
}
