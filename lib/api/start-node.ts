import { join, resolve } from 'node:path';
import { idFrom, silentLog, type Log, type NodeId } from '../core/index.js';
import { makePrivateDir } from '../disk/index.js';
import { Client, treeOf } from '../client/index.js';
import { runNode, type RunningNode } from '../compose/index.js';
import { localControlDir, type ExportRequest } from '../node/index.js';
import { localSession } from '../policy/index.js';
import { World } from '../worldfs/index.js';

export interface NodeOptions {
  /** The name under `/nodes`. */
  readonly nodeId?: string;
  /** Where the node keeps its state; made where it is not there. One process at a time. */
  readonly stateDir: string;
  /** Directories whose `*.json` are manifests; they are followed while the node runs. */
  readonly servicesDirs?: readonly string[];
  readonly manifestFiles?: readonly string[];
  /** Directories to show at `fs/<name>`. */
  readonly exports?: readonly ExportRequest[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Results survive power loss, not only kills. */
  readonly fsync?: boolean;
  readonly log?: Log;
}

export interface StartedNode {
  /** The node as the files and services that an admin of this machine has. */
  readonly client: Client;
  /** For `startControlPlane({ node })`. */
  readonly node: RunningNode;
  /** Ends what runs, and the node. */
  close(): Promise<void>;
}

/**
 * Runs a node in this process.
 * @throws FsError EBUSY where another process has the state, EACCES where others can change it, EINVAL for manifests that cannot start
 */
export async function startNode(options: NodeOptions): Promise<StartedNode> {
  const { stateDir, log = silentLog } = options;
  const nodeId = idFrom<NodeId>(options.nodeId ?? 'local', 'The node id');
  makePrivateDir(stateDir);
  const node = await runNode({
    nodeId,
    nodeName: nodeId,
    labels: options.labels ?? {},
    version: '',
    stateFile: resolve(join(stateDir, 'node.json')),
    manifestFiles: options.manifestFiles ?? [],
    servicesDirs: options.servicesDirs ?? [],
    reloadIntervalMs: 2000,
    trustWritable: false,
    fsync: options.fsync ?? false,
    driverUser: null,
    exports: options.exports ?? [],
    terminals: [],
    mountDir: null,
    log,
  });
  const control = localControlDir({
    nodeId,
    audit: node.audit,
    diagnostics: () => node.registry.diagnostics(),
    reloads: node.reloads,
    plan: node.plan,
    metrics: node.metricsFile,
  });
  const world = new World({ nodes: node, events: node.events, now: () => Date.now(), control });
  const close = (): Promise<void> => node.close();
  return { node, client: new Client(treeOf(world, localSession('admin'), { close })), close };
}
