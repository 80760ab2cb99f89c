import type { JsonValue } from '../core/index.js';
import { decide, type Action, type Decision, type ServiceFacts, type Session } from '../policy/index.js';
import { permissionsOf } from './store/descriptor-templates.js';
import type { NodeRecord } from './store/node-record.js';
import type { Projects } from './store/projects.js';
import type { CatalogService } from './store/service-delta.js';

/** Asks `decide` on behalf of the catalog. Whatever lists, counts or describes services goes through here. */
export class Access {
  readonly #projects: Projects;

  constructor(projects: Projects) {
    this.#projects = projects;
  }

  factsOf(node: NodeRecord, service: CatalogService): ServiceFacts {
    return {
      nodeId: node.nodeId,
      serviceId: service.serviceId,
      permissions: permissionsOf(service),
      nodeProjects: this.#projects.naming(node.nodeId),
    };
  }

  decide(session: Session, node: NodeRecord, service: CatalogService, action: Action): Decision {
    return decide(session, this.factsOf(node, service), action);
  }

  /** Whether the session would see a service, were these its permissions. */
  wouldShow(
    session: Session,
    nodeId: string,
    serviceId: string,
    permissions: JsonValue | undefined,
  ): boolean {
    const nodeProjects = this.#projects.naming(nodeId);
    return decide(session, { nodeId, serviceId, permissions, nodeProjects }, 'observe').allow;
  }

  /** The services of a node that the session may know of. */
  visibleServices(session: Session, node: NodeRecord): CatalogService[] {
    return [...node.services.values()].filter(
      (service) => this.decide(session, node, service, 'observe').allow,
    );
  }

  /** Users know a node by what it shows them; admins know all. */
  seesNode(session: Session, node: NodeRecord): boolean {
    if (session.revoked) return false;
    if (session.role === 'admin') return true;
    for (const service of node.services.values()) {
      if (this.decide(session, node, service, 'observe').allow) return true;
    }
    return false;
  }
}
