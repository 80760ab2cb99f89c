import type { Session } from '../../policy/index.js';
import type { Access } from '../access.js';
import type { EventRows } from './event-rows.js';
import type { Nodes } from './nodes.js';
import type { Projects } from './projects.js';
import type { Withdrawals } from './withdrawals.js';

/** What one kind of user has been sent. */
export interface UserEventLog {
  readonly id: number;
  readonly key: string;
  readonly session: Omit<Session, 'project'>;
  readonly projectId: string | null;
  readonly verified: boolean;
  /** What it shows as of the last commit, by node. */
  visible: Map<string, ReadonlySet<string>>;
  /** Kept in the column `visible`, which releases that do not know them leave empty and do not read. */
  withdrawn: Withdrawals;
  readonly rows: EventRows;
  head: number;
  lastUsedMs: number;
}

/** What views show, as of now. */
export class ViewSight {
  readonly #nodes: Nodes;
  readonly #projects: Projects;
  readonly #access: Access;

  constructor({ nodes, projects, access }: { nodes: Nodes; projects: Projects; access: Access }) {
    this.#nodes = nodes;
    this.#projects = projects;
    this.#access = access;
  }

  /** The services of the node that the session sees. */
  at(session: Session, nodeId: string): ReadonlySet<string> {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return new Set();
    return new Set(this.#access.visibleServices(session, node).map(({ serviceId }) => serviceId));
  }

  of(session: Session): Map<string, ReadonlySet<string>> {
    const visible = new Map<string, ReadonlySet<string>>();
    for (const { nodeId } of this.#nodes.list()) {
      const own = this.at(session, nodeId);
      if (own.size > 0) visible.set(nodeId, own);
    }
    return visible;
  }

  /** A session such as this view stands for, with its project as it is now. */
  sessionOf(view: Pick<UserEventLog, 'projectId' | 'session' | 'verified'>): Session {
    const project = view.projectId === null ? undefined : this.#projects.get(view.projectId);
    return {
      ...view.session,
      revoked: view.projectId !== null && project === undefined,
      project:
        project === undefined
          ? null
          : {
              id: project.projectId,
              verified: view.verified && project.hasToken,
              hasToken: project.hasToken,
              accessPolicy: project.accessPolicy ?? undefined,
            },
    };
  }
}

/** Sessions that may see the same have the same view. */
export function keyOf({ agentId, project }: Session): string {
  return JSON.stringify([agentId, project?.id ?? null, project?.verified === true]);
}

export function show(view: UserEventLog, nodeId: string, services: ReadonlySet<string>): void {
  if (services.size === 0) view.visible.delete(nodeId);
  else view.visible.set(nodeId, services);
}
