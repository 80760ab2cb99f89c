import { FsError } from '../../core/index.js';
import type { DirNode, Node, Op } from '../../vfs/index.js';

/** An entry of `t_fs_exports`, with the node that it stands for. */
export interface ExportEntry {
  readonly name: string;
  readonly node: Node;
  readonly ro: boolean;
  readonly desc: string;
  readonly sourceKind: string;
  readonly sourceId: string;
  readonly caps: readonly string[];
}

/**
 * What there is to mount in a tree of the public layout: the tree itself, `/nodes/<id>/services/<id>` and
 * `/nodes/<id>/fs/<name>`, as far as the session sees them.
 */
export async function exportsOfTree(root: DirNode, op: Op): Promise<ExportEntry[]> {
  const found: ExportEntry[] = [
    {
      name: '/',
      node: root,
      ro: false,
      desc: 'everything',
      sourceKind: 'namespace',
      sourceId: '/',
      caps: ['read', 'write'],
    },
  ];
  const nodes = await directoriesOf(await entryOf(root, 'nodes', op), op);
  const ofNodes = await Promise.all(
    nodes.map(([nodeId, node]) => within(NODE_MS, exportsOfNode(nodeId, node, op))),
  );
  return found.concat(...ofNodes);
}

/** A node that takes longer is left out. */
const NODE_MS = 2000;

/** What it finds, or nothing where that fails or takes too long. */
async function within(ms: number, exports: Promise<ExportEntry[]>): Promise<ExportEntry[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<ExportEntry[]>((resolve) => (timer = setTimeout(() => resolve([]), ms)));
  try {
    return await Promise.race([exports.catch(() => []), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What there is to mount of one node, whose directory this is. */
export async function exportsOfNode(nodeId: string, node: DirNode, op: Op): Promise<ExportEntry[]> {
  const found: ExportEntry[] = [];
  for (const [id, service] of await directoriesOf(await entryOf(node, 'services', op), op)) {
    const invocable = (await entryOf(service, 'control', op)) !== undefined;
    found.push({
      name: `${nodeId}/${id}`,
      node: service,
      ro: !invocable,
      desc: `service ${id} of node ${nodeId}`,
      sourceKind: 'service',
      sourceId: `service:${id}`,
      caps: invocable ? ['read', 'invoke'] : ['read'],
    });
  }
  for (const [name, folder] of await directoriesOf(await entryOf(node, 'fs', op), op)) {
    const ro = ((await folder.stat(op)).mode & 0o200) === 0;
    found.push({
      name: `${nodeId}/fs/${name}`,
      node: folder,
      ro,
      desc: `folder ${name} of node ${nodeId}`,
      sourceKind: 'export',
      sourceId: `${nodeId}:fs/${name}`,
      caps: ro ? ['read'] : ['read', 'write'],
    });
  }
  return found;
}

async function entryOf(directory: Node | undefined, name: string, op: Op): Promise<Node | undefined> {
  if (directory?.kind !== 'dir') return undefined;
  try {
    return await directory.lookup(name, op);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

async function directoriesOf(directory: Node | undefined, op: Op): Promise<[string, DirNode][]> {
  if (directory?.kind !== 'dir') return [];
  const found: [string, DirNode][] = [];
  for (const entry of await directory.list(op)) {
    if (entry.kind !== 'dir') continue;
    const node = entry.node ?? (await entryOf(directory, entry.name, op));
    if (node?.kind === 'dir') found.push([entry.name, node]);
  }
  return found;
}
