import { FsError, type JsonObject } from '../../../core/index.js';
import { chain } from '../../../vfs/index.js';
import {
  catalogText,
  MAX_DELTA_ENTRIES,
  ProtocolFault,
  type CatalogText,
  type ControlReply,
  type ControlRequest,
} from '../../../protocol/index.js';
import type { AuditRecord } from '../../store/audit.js';
import { takeNodeRecords } from '../../store/node-acts.js';
import type { NodeRecord } from '../../store/node-record.js';
import type { CatalogChange } from '../../store/nodes.js';
import type { CatalogService, DeltaEntry } from '../../store/service-delta.js';
import type { Peer } from '../peer.js';
import { proveLease, proveNode, requireCurrent } from '../node-authority.js';
import { pageOf } from '../page-of.js';
import { servicePage } from '../service-page.js';
import { positionFor, Watch } from '../watch.js';
import { recorded, type Handlers } from './handler.js';
import { wireNode, wireSummary } from './wire.js';

type Names =
  | 'node_lease_refresh'
  | 'node_list'
  | 'node_get'
  | 'node_delete'
  | 'node_service_upsert'
  | 'node_catalog_part'
  | 'node_service_get'
  | 'service_list'
  | 'node_service_watch'
  | 'node_service_unwatch'
  | 'audit_append';

export const nodeHandlers: Handlers<Names> = {
  async node_lease_refresh(connection, payload) {
    const { node_id: nodeId, lease_token: leaseToken } = payload;
    const isCaller = payload.epoch === undefined && !connection.claims.has(nodeId);
    const prove = isCaller ? proveLease : proveNode;
    const epoch = await prove(connection, {
      nodeId,
      secret: payload.node_secret,
      leaseToken,
      epoch: payload.epoch,
    });
    const { store } = connection.context;
    const refreshed = await store.commit(() => {
      requireCurrent(connection, nodeId, epoch);
      if (payload.fs_url !== undefined) store.nodes.describe(nodeId, { fsUrl: payload.fs_url });
      if (isCaller) connection.context.leases.keepByCalls(nodeId);
      const token = isCaller && leaseToken === undefined ? store.nodes.renewLeaseToken(nodeId) : leaseToken;
      return { token, expires: store.nodes.refresh(nodeId, payload.lease_ttl_ms) };
    });
    const { nodeName, fsUrl, platform } = store.nodes.require(nodeId);
    return {
      node_id: nodeId,
      node_name: nodeName,
      fs_url: fsUrl,
      platform,
      ...(refreshed.token === undefined ? {} : { lease_token: refreshed.token }),
      lease_expires_at_ms: refreshed.expires,
      epoch,
    };
  },

  node_list({ context, session }, asked) {
    const seen = context.store.nodes
      .list()
      .filter((node) => context.store.access.seesNode(session.current, node));
    const { page, next } = pageOf(seen, asked, {
      idOf: ({ nodeId }) => nodeId,
      wireOf: (node) => wireNode(context, node, session.current),
    });
    return { nodes: page, next };
  },

  node_get: (connection, { node_id }) =>
    wireNode(connection.context, requireSeen(connection, node_id), connection.session.current),

  async node_delete(connection, payload) {
    const { node_id, node_secret } = payload;
    if (connection.isAdmin)
      return recorded('node_delete', connection, payload, () => remove(connection, node_id));
    if (node_secret === undefined) connection.requireAdmin('node_delete');
    await proveLease(connection, { nodeId: node_id, secret: node_secret });
    const { store } = connection.context;
    return store.commit(() => {
      store.audit.record({ act: 'node_delete', outcome: 'ok', target: { node_id } });
      return remove(connection, node_id);
    });
  },

  async node_service_upsert(connection, payload) {
    const { node_id, node_secret, platform, labels } = payload;
    const isCaller = payload.epoch === undefined && connection.context.leases.isCaller(node_id);
    const prove = isCaller && !connection.claims.has(node_id) ? proveLease : proveNode;
    const epoch = await prove(connection, { nodeId: node_id, secret: node_secret, epoch: payload.epoch });
    const { store } = connection.context;
    const { services, reload } = catalogFrom(connection, payload);
    const catalog = services && store.nodes.catalogFrom(node_id, services);
    const change = await store.commit(() => {
      requireCurrent(connection, node_id, epoch);
      store.nodes.describe(node_id, {
        ...(platform === undefined ? {} : { platform }),
        ...(labels === undefined ? {} : { labels }),
        ...(reload === undefined ? {} : { reload }),
      });
      return catalog === undefined ? undefined : store.nodes.replaceServices(node_id, catalog);
    });
    connection.context.registrations.leave(connection);
    const node = store.nodes.require(node_id);
    const service_delta = wireDelta(change ?? unchanged(connection, node));
    if (payload.epoch !== undefined) return { node_id, epoch, service_delta };
    const { page, next } = pageOf([...node.services.values()], {}, byServiceId);
    const { nodeName, platform: machine, labels: marks } = node;
    return {
      node_id,
      epoch,
      service_delta,
      node_name: nodeName,
      platform: machine,
      labels: marks,
      services: page,
      next,
    };
  },

  async node_catalog_part(connection, payload) {
    const { node_id, node_secret, part } = payload;
    const epoch = await proveNode(connection, { nodeId: node_id, secret: node_secret, epoch: payload.epoch });
    connection.upsertParts.take(payload);
    return { node_id, epoch, part };
  },

  node_service_get(connection, { node_id, service_id, ...asked }) {
    const { context, session } = connection;
    const node = requireSeen(connection, node_id);
    const services = context.store.access
      .visibleServices(session.current, node)
      .filter(({ serviceId }) => service_id === undefined || serviceId === service_id);
    if (service_id !== undefined && services.length === 0)
      throw new ProtocolFault('not_found', `There is no service "${service_id}" on "${node_id}".`);
    const { page, next } = pageOf(services, asked, {
      idOf: ({ serviceId }) => serviceId,
      wireOf: ({ serviceId, descriptor }) => ({
        descriptor,
        summary: wireSummary(node, { serviceId, descriptor }),
      }),
    });
    return {
      node_id,
      node_name: node.nodeName,
      platform: node.platform,
      labels: node.labels,
      ...(session.current.role === 'admin' ? { revision: node.catalogRevision } : {}),
      services: page.map(({ descriptor }) => descriptor),
      index: page.map(({ summary }) => summary),
      next,
    };
  },

  service_list: ({ context, session }, asked) => servicePage(context.store, session.current, asked),

  node_service_watch(connection, payload) {
    const { store } = connection.context;
    return chain(store.ensureView(connection.session.current), () => watchFor(connection, payload));
  },

  node_service_unwatch(connection, { watch_id }) {
    const { watches } = connection;
    const ending = watches.all.filter(({ id }) => watch_id === undefined || id === watch_id);
    for (const { id } of ending) watches.end(id);
    return { ended: ending.length, enabled: watches.size > 0 };
  },

  async audit_append(connection, payload) {
    const { node_id, node_secret, records } = payload;
    const { store } = connection.context;
    const epoch = await proveNode(connection, { nodeId: node_id, secret: node_secret, epoch: payload.epoch });
    const accepted = await store.commit(() => {
      requireCurrent(connection, node_id, epoch);
      return takeNodeRecords(store, node_id, records as unknown as readonly AuditRecord[]);
    });
    return { accepted };
  },
};

function watchFor(
  connection: Peer,
  payload: ControlRequest<'node_service_watch'>,
): ControlReply<'node_service_watch'> {
  const { context, session, watches } = connection;
  const id = payload.watch_id ?? `w-${connection.watches.size + 1}-${context.clock.now().toString(36)}`;
  watches.admit(session.tokenId, id);
  if (payload.node_id !== undefined && session.current.role === 'admin')
    context.store.nodes.require(payload.node_id);
  const position = positionFor(context.store, context.cursors, session.current, {
    cursor: payload.cursor,
    sinceRevision: payload.since_revision,
    replayLimit: payload.replay_limit,
  });
  const watch = new Watch(
    {
      id,
      store: context.store,
      cursors: context.cursors,
      transport: connection.transport,
      clock: context.clock,
      nodeId: payload.node_id ?? null,
      push: (frame) => {
        context.metrics.pushes.inc();
        connection.pushText(frame);
      },
      onLagged: (cursor) => {
        context.metrics.lagged.inc();
        watches.end(id);
        connection.pushFault(
          new ProtocolFault(
            'lagged',
            'This watcher is too slow and was cut off. Watch again from the cursor.',
            {
              details: { watch_id: id, cursor },
            },
          ),
        );
      },
    },
    session.current,
    position,
  );
  watches.add(session.tokenId, watch);
  context.watching.add(connection);
  return {
    watch_id: id,
    revision: position.revision,
    cursor: watch.cursor,
    enabled: true,
    replayed: watch.waiting,
  };
}

function wireDelta({
  delta,
  changed,
  revision,
  timestampMs,
}: CatalogChange): ControlReply<'node_service_upsert'>['service_delta'] {
  const first = (entries: readonly DeltaEntry[]): DeltaEntry[] => entries.slice(0, MAX_DELTA_ENTRIES);
  const more = [delta.added, delta.updated, delta.removed].reduce(
    (sum, { length }) => sum + Math.max(0, length - MAX_DELTA_ENTRIES),
    0,
  );
  return {
    changed,
    revision,
    timestamp_ms: timestampMs,
    added: first(delta.added),
    updated: first(delta.updated),
    removed: first(delta.removed),
    ...(more > 0 ? { more } : {}),
  };
}

/** Without services they stay as they are. @throws ProtocolFault `invalid_payload` */
function catalogFrom(
  connection: Peer,
  { node_id, services, reload, parts }: ControlRequest<'node_service_upsert'>,
): { services?: CatalogText['services'] | undefined; reload?: CatalogText['reload'] } {
  if (parts !== undefined) {
    const parsed = catalogText.safeParse(connection.upsertParts.join(node_id, parts));
    if (parsed.success) return parsed.data;
    const [first = parsed.error] = parsed.error.issues;
    throw new ProtocolFault('invalid_payload', `The parts are no catalog: ${first.message}.`);
  }
  return { services, reload };
}

/** Nothing of what the node offers has changed. */
function unchanged({ context }: Peer, { catalogRevision }: NodeRecord): CatalogChange {
  const delta = { added: [], updated: [], removed: [] };
  return { delta, changed: false, revision: catalogRevision, timestampMs: context.clock.now() };
}

const byServiceId = {
  idOf: ({ serviceId }: CatalogService): string => serviceId,
  wireOf: ({ descriptor }: CatalogService): JsonObject => descriptor,
};

function remove({ context }: Peer, node_id: string): ControlReply<'node_delete'> {
  const { nodes } = context.store;
  const { online, leaseExpiresAtMs } = nodes.require(node_id);
  if (online && leaseExpiresAtMs === null)
    throw new FsError('EBUSY', `Node "${node_id}" runs in the process of the control plane itself.`, {
      hint: 'It goes when that process ends; then it can be deleted.',
    });
  nodes.delete(node_id);
  return { node_id, deleted: true };
}

/** @throws FsError ENOENT for a node that is not there or that the session may not know of. */
function requireSeen({ context, session }: Peer, nodeId: string): NodeRecord {
  const node = context.store.nodes.get(nodeId);
  if (node === undefined || !context.store.access.seesNode(session.current, node))
    throw new FsError('ENOENT', `There is no node "${nodeId}".`);
  return node;
}
