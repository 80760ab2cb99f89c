import type { Handlers } from './handler.js';

export const replicaHandlers: Handlers<'replica_list'> = {
  replica_list({ context }) {
    const { replicas } = context.store;
    if (replicas === undefined)
      return {
        ...{ engine: 'sqlite', replica: null, host: null, applied_seq: context.store.events.head },
        ...{ lag: 0, lease_left_ms: 0, replicas: [] },
      };
    const { membership, replica } = replicas;
    const head = replica.appliedSeq + replica.lag;
    const nodes = new Map<string | null, number>();
    for (const { replica: at, online } of context.store.nodes.list())
      if (online) nodes.set(at, (nodes.get(at) ?? 0) + 1);
    return {
      engine: replica.log.engine,
      replica: membership.selfId,
      host: replica.log.facts().host,
      applied_seq: replica.appliedSeq,
      lag: replica.lag,
      lease_left_ms: Math.round(membership.lease.leftMs),
      replicas: membership.members().map(({ id, address, version, appliedSeq, leaseLeftMs, startedAtMs }) => {
        // Of itself it knows better than what it said last.
        const isSelf = id === membership.selfId;
        const applied = isSelf ? replica.appliedSeq : appliedSeq;
        return {
          ...{ replica: id, address, version, applied_seq: applied, lag: Math.max(0, head - applied) },
          lease_left_ms: Math.round(isSelf ? membership.lease.leftMs : leaseLeftMs),
          ...{ nodes: nodes.get(id) ?? 0, started_at_ms: startedAtMs },
        };
      }),
    };
  },
};
