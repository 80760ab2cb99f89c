import type { CatalogEvent, ControlClient } from '../control/index.js';
import { faultOf } from '../control/client/index.js';

/** What an event changed in one service. */
export interface EventDiff {
  readonly service_id: string;
  readonly diff: string;
}

/** The diffs of the descriptors that an event is about; of what only fares otherwise there is none. */
export async function diffsOf(
  client: ControlClient,
  { node_id, revision, service_delta }: Pick<CatalogEvent, 'node_id' | 'revision' | 'service_delta'>,
): Promise<EventDiff[]> {
  if (node_id === null || service_delta === undefined) return [];
  const isAdmin = client.welcome?.role === 'admin';
  const { added, updated, removed } = service_delta;
  const diffs: EventDiff[] = [];
  for (const { service_id, hash } of [...added, ...updated, ...removed]) {
    // Users count otherwise: they know a version by its hash, and a removal as what came last.
    const which = isAdmin ? { n: revision } : hash === null ? {} : { hash };
    try {
      const { change, diff } = await client.request('history_get', { node_id, service_id, ...which });
      if ((change.change === 'removed') === (hash === null) && diff !== '') diffs.push({ service_id, diff });
    } catch (thrown) {
      // It is no version of its own, or no longer kept.
      if (faultOf(thrown)?.code !== 'not_found') throw thrown;
    }
  }
  return diffs;
}
