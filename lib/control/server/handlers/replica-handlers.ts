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
    return {
      engine: replica.log.engine,
      replica: membership.selfId,
      host: replica.log.facts().host,
      applied_seq: replica.appliedSeq,
      lag: replica.lag,
      lease_left_ms: Math.round(membership.lease.leftMs),
      replicas: membership.members().map(({ id, address, version, appliedSeq, startedAtMs }) => ({
        ...{ replica: id, address, version, started_at_ms: startedAtMs },
        // Of itself it knows better than what it said last.
        applied_seq: id === membership.selfId ? replica.appliedSeq : appliedSeq,
      })),
    };
  },
};
