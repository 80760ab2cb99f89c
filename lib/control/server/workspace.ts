import type { Session } from '../../policy/index.js';
import { serviceOfExport, type WireWorkspaceStatus } from '../../protocol/index.js';
import type { NodeRecord } from '../store/node-record.js';
import type { ProjectMount } from '../store/project-mounts.js';
import type { ProjectRecord } from '../store/projects.js';
import type { ControlStore } from '../store/store.js';
import type { Peer } from './peer.js';

type Reached = WireWorkspaceStatus['mounts'][number];
type Drift = WireWorkspaceStatus['drift'];

/** The service that shows the folders of a node. */
const FOLDERS = 'fs';

/** The mounts of a project that the session sees: admins all, users those of nodes and services that they see. */
export function visibleMounts(
  { nodes, access }: ControlStore,
  session: Session,
  { mounts }: ProjectRecord,
): readonly ProjectMount[] {
  if (session.role === 'admin' && !session.revoked) return mounts;
  return mounts.filter(({ nodeId, exportName }) => {
    const node = nodes.get(nodeId);
    if (node === undefined) return false;
    const serviceId = serviceOfExport(exportName) ?? FOLDERS;
    return access.visibleServices(session, node).some((service) => service.serviceId === serviceId);
  });
}

export const wireMount = ({ mountPath, nodeId, exportName }: ProjectMount): MountOnWire => ({
  mount_path: mountPath,
  node_id: nodeId,
  export_name: exportName,
});
interface MountOnWire {
  readonly mount_path: string;
  readonly node_id: string;
  readonly export_name: string;
}

/** A project, and the session that sees it. */
export interface ProjectView {
  readonly project: ProjectRecord;
  readonly viewer: Session;
  readonly sessionId: string;
}

/**
 * A project as who asks sees it: who may attach to it, or shows its token, sees it as a session that is attached to it.
 * @throws FsError as `Sessions.attach`
 */
export async function projectView(
  peer: Peer,
  projectId: string,
  projectToken: string | null,
): Promise<ProjectView> {
  const { store, filesSessions, denials } = peer.context;
  try {
    const { session, credential } = peer;
    const isNamed = store.sessions.require(session.id).name !== null;
    const asker = { session, credential, isNamed };
    const sessionId = await filesSessions.forProject(asker, projectId, projectToken);
    const project = store.projects.require(projectId);
    return { project, viewer: store.sessions.snapshot(sessionId), sessionId };
  } catch (thrown) {
    const { session } = peer;
    denials.note(session.tokenId, {
      act: 'session_attach',
      ...peer.who(),
      target: { project_id: projectId },
    });
    throw thrown;
  }
}

/** What a project mounts, compared with what is there. */
export interface Workspace {
  readonly projectId: string;
  readonly desired: readonly Reached[];
  /** Of the nodes at each path the one that is used. */
  readonly actual: readonly Reached[];
  readonly drift: Drift;
  readonly availability: WireWorkspaceStatus['availability'];
  /** What keeps it from being as it should be, a sentence each. */
  readonly failures: readonly string[];
}

/** How the files of a session are reached. */
export interface FilesAddress {
  /** `ws://host:port`, as the asker reached us: no other machine is ever given what opens the session. */
  readonly url: string;
  readonly authToken: string;
}

export function workspaceOf(
  store: ControlStore,
  session: Session,
  project: ProjectRecord,
  files: FilesAddress,
): Workspace {
  const mounts = visibleMounts(store, session, project);
  const nodes = new Map(mounts.map(({ nodeId }) => [nodeId, store.nodes.get(nodeId)]));
  const isOnline = (mount: ProjectMount): boolean => nodes.get(mount.nodeId)?.online === true;
  const reached = (mount: ProjectMount): Reached => reachedMount(mount, nodes.get(mount.nodeId), files);
  const items: Drift['items'] = [];
  const failures: string[] = [];
  const actual: Reached[] = [];
  const counts = { mounts_total: 0, online: 0, degraded: 0, missing: 0 };
  for (const path of new Set(mounts.map(({ mountPath }) => mountPath))) {
    const candidates = mounts.filter(({ mountPath }) => mountPath === path);
    const [first] = candidates;
    if (first === undefined) continue;
    const used = candidates.find(isOnline) ?? first;
    actual.push(reached(used));
    counts.mounts_total++;
    const kind = driftOf(nodes.get(used.nodeId), used === first);
    counts[kind === undefined ? 'online' : kind === 'missing_node' ? 'missing' : 'degraded']++;
    if (kind === undefined) continue;
    const message = DRIFTS[kind];
    items.push({
      mount_path: path,
      kind,
      severity: kind === 'failover_active' ? 'warning' : 'err',
      selected_node_id: used.nodeId,
      desired_node_id: first.nodeId,
      message,
    });
    if (kind !== 'failover_active') failures.push(`${project.projectId} ${path} ${used.nodeId}: ${message}`);
  }
  return {
    projectId: project.projectId,
    desired: mounts.map(reached),
    actual,
    drift: { count: items.length, items },
    availability: counts,
    failures,
  };
}

const DRIFTS = {
  missing_node: 'There is no such node.',
  node_offline: 'The node is offline.',
  failover_active: 'Another node stands in.',
} as const;

function driftOf(used: NodeRecord | undefined, isFirst: boolean): keyof typeof DRIFTS | undefined {
  if (used === undefined) return 'missing_node';
  if (!used.online) return 'node_offline';
  return isFirst ? undefined : 'failover_active';
}

function reachedMount(
  mount: ProjectMount,
  node: NodeRecord | undefined,
  { url, authToken }: FilesAddress,
): Reached {
  return {
    ...wireMount(mount),
    node_name: node?.nodeName ?? mount.nodeId,
    fs_url: `${url}/v2/fs/node/${mount.nodeId}`,
    fs_auth_token: authToken,
    online: node?.online === true,
  };
}
