import type { Action, Session } from '../policy/index.js';
import type { ServiceHost } from '../services/index.js';
import { actionsAmong, offersOf } from '../worldfs/index.js';

/** What a session may do with one at least of the services of a node that it sees. */
export function actionsAt(host: ServiceHost, session: Session): readonly Action[] {
  const services = host.dirs
    .filter(({ service }) => service.gate.allows(session, 'observe'))
    .map(({ service }) => ({
      offers: offersOf(service.definition.descriptor, service.runnable),
      allows: (action: Action) => service.gate.allows(session, action),
    }));
  return actionsAmong(session, services);
}
