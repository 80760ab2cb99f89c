import { ownValue, type JsonObject } from '../core/index.js';
import { ACTIONS, actionsOf, type Action, type Session } from '../policy/index.js';

/** A service as far as it matters for what can be done in a tree. */
export interface ActionsOfService {
  /** What there is to do with it. */
  readonly offers: readonly Action[];
  allows(action: Action): boolean;
}

/** What can be done with a service: each can be seen and configured, some be called; exports be read and written. */
export function offersOf(descriptor: JsonObject, isInvocable: boolean): readonly Action[] {
  const offers: Action[] = ['observe', 'control'];
  if (isInvocable) offers.push('invoke');
  const runtime = ownValue(descriptor, 'runtime') as JsonObject | undefined;
  if (descriptor.service_id !== 'fs' || runtime?.type !== 'builtin') return offers;
  const capabilities = ownValue(descriptor, 'capabilities') as JsonObject | undefined;
  return capabilities?.write === true ? [...offers, 'read', 'write'] : [...offers, 'read'];
}

/**
 * What a session may do here: with one of `services` at least, as their mode bits say it; to mount and to administer
 * concern none of them.
 */
export function actionsAmong(session: Session, services: Iterable<ActionsOfService>): Action[] {
  const found = new Set<Action>(
    actionsOf(session).filter((action) => action === 'mount' || action === 'admin'),
  );
  for (const service of services)
    for (const action of service.offers) if (!found.has(action) && service.allows(action)) found.add(action);
  return ACTIONS.filter((action) => found.has(action));
}
