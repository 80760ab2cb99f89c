import { changeAsJson, descriptorAfter, diffOfChange, type ShownChange } from '../../../manifest/index.js';
import { ProtocolFault, type ControlReply } from '../../../protocol/index.js';
import { summaryOf, type KeptReload } from '../../store/history/reload-reports.js';
import { ChangeList } from '../change-list.js';
import { proveNode, requireCurrent } from '../node-authority.js';
import type { Handlers } from './handler.js';

type Names = 'history_list' | 'history_get' | 'reload_list' | 'reload_get' | 'node_reload_report';

/** On one page, unless another number is asked for. */
const CHANGES_ON_PAGE = 100;
const RELOADS_ON_PAGE = 50;

export const historyHandlers: Handlers<Names> = {
  async history_list({ context, session }, { node_id, service_id, limit = CHANGES_ON_PAGE, after }) {
    const list = new ChangeList(context.store, session.current);
    const from = after === undefined ? undefined : list.placeFrom(context.cursors.openText(after));
    const { found, next } = await list.page(from, limit, { nodeId: node_id, serviceId: service_id });
    return {
      changes: found.map(({ place, shown }) =>
        wireChange(place.nodeId, place.serviceId, shown, list.isAdmin),
      ),
      ...(next === undefined ? {} : { next: context.cursors.sealText(list.textOf(next)) }),
    };
  },

  history_get({ context, session }, { node_id: nodeId, service_id: serviceId, n, hash }) {
    const list = new ChangeList(context.store, session.current);
    const { records, shown } = list.of(nodeId, serviceId);
    const change =
      hash === undefined
        ? shown.findLast((one) => n === undefined || one.n === n)
        : shown.findLast(({ version }) => version?.hash === hash);
    if (change === undefined)
      throw new ProtocolFault('not_found', `There is no such version of "${serviceId}" on "${nodeId}".`);
    return {
      node_id: nodeId,
      service_id: serviceId,
      change: wireChange(nodeId, serviceId, change, list.isAdmin),
      descriptor: descriptorAfter(records, change),
      diff: diffOfChange(records, change),
    };
  },

  reload_list({ context }, { node_id = null, limit = RELOADS_ON_PAGE, after }) {
    const order = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
    if (!Number.isSafeInteger(order))
      throw new ProtocolFault('invalid_payload', '`after` is the `next` of the page before.');
    const found = context.store.reloads.before(order, limit + 1, node_id);
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return {
      reloads: shown.map(wireReloadLine),
      ...(found.length > limit && last !== undefined ? { next: String(last.order) } : {}),
    };
  },

  reload_get({ context }, { node_id, n }) {
    const kept = context.store.reloads.get(node_id, n);
    if (kept === undefined)
      throw new ProtocolFault('not_found', `There is no such report on a reload of "${node_id}".`);
    const { report_id: _id, ...report } = kept.report;
    return { node_id, n: kept.n, ...report };
  },

  async node_reload_report(connection, { node_id, node_secret, epoch: said, report }) {
    const { store } = connection.context;
    const epoch = await proveNode(connection, { nodeId: node_id, secret: node_secret, epoch: said });
    const accepted = await store.commit(() => {
      requireCurrent(connection, node_id, epoch);
      return store.reloads.add(node_id, report);
    });
    return { accepted };
  },
};

function wireChange(
  nodeId: string,
  serviceId: string,
  shown: ShownChange,
  isAdmin: boolean,
): ControlReply<'history_get'>['change'] {
  const line = changeAsJson(shown, isAdmin) as never as Omit<
    ControlReply<'history_get'>['change'],
    'node_id' | 'service_id'
  >;
  return { node_id: nodeId, service_id: serviceId, ...line };
}

function wireReloadLine({ nodeId, n, report }: KeptReload): ControlReply<'reload_list'>['reloads'][number] {
  const { timestamp_ms, reason } = report;
  return { node_id: nodeId, n, timestamp_ms, reason, ...summaryOf(report) };
}
