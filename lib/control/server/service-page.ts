import type { Session } from '../../policy/index.js';
import type { ControlReply, ControlRequest } from '../../protocol/index.js';
import type { CatalogService } from '../store/service-delta.js';
import type { ControlStore } from '../store/store.js';
import { wireSummary } from './handlers/wire.js';

type Line = ControlReply<'service_list'>['services'][number];

/** What one page holds, unless fewer are asked for. */
const LINES = 2000;

/** The services of many nodes that the session may see, from where the page before ended. */
export function servicePage(
  { nodes, access }: ControlStore,
  session: Session,
  { node_ids, limit = LINES, after }: ControlRequest<'service_list'>,
): ControlReply<'service_list'> {
  const [afterNode = '', afterService = ''] = after?.split('/') ?? [];
  const wanted = node_ids === undefined ? undefined : new Set(node_ids);
  const records = nodes.list().filter(({ nodeId }) => nodeId >= afterNode && wanted?.has(nodeId) !== false);
  const services: Line[] = [];
  for (const node of records) {
    const from = node.nodeId === afterNode ? afterService : '';
    const seen = access
      .visibleServices(session, node)
      .filter(({ serviceId }) => serviceId > from)
      .sort((one, other) => (one.serviceId < other.serviceId ? -1 : 1));
    for (const { serviceId, descriptor } of seen) {
      const last = services.at(-1);
      if (services.length >= limit && last !== undefined)
        return { services, next: `${last.node_id}/${last.service_id}` };
      const { node_id, service_id, kind, state, has_invoke, summary } = wireSummary(node, {
        serviceId,
        descriptor,
      });
      services.push({ node_id, service_id, kind, state, has_invoke, summary, ...labelsOf(descriptor) });
    }
  }
  return { services };
}

function labelsOf(descriptor: CatalogService['descriptor']): Pick<Line, 'labels'> {
  const labels = Object.hasOwn(descriptor, 'labels') ? descriptor['labels'] : undefined;
  return labels === undefined ? {} : { labels };
}
