import type { ServiceId } from '../core/index.js';
import type { ServiceDefinition } from '../manifest/index.js';

export type ReconcileAction =
  | { readonly type: 'add'; readonly definition: ServiceDefinition }
  | { readonly type: 'update'; readonly before: ServiceDefinition; readonly after: ServiceDefinition }
  | { readonly type: 'remove'; readonly definition: ServiceDefinition }
  | { readonly type: 'keep'; readonly definition: ServiceDefinition };

/**
 * What to do so that `current` becomes `desired`: one action for each service of either. Pure. A service
 * whose digest is the same is kept as it is. `desired` names each service once.
 */
export function reconcile(
  desired: readonly ServiceDefinition[],
  current: ReadonlyMap<ServiceId, ServiceDefinition>,
): ReconcileAction[] {
  const wanted = new Set<ServiceId>();
  const actions = desired.map((after): ReconcileAction => {
    wanted.add(after.serviceId);
    const before = current.get(after.serviceId);
    if (before === undefined) return { type: 'add', definition: after };
    if (before.digest === after.digest) return { type: 'keep', definition: before };
    return { type: 'update', before, after };
  });
  for (const [serviceId, definition] of current)
    if (!wanted.has(serviceId)) actions.push({ type: 'remove', definition });
  return actions;
}
