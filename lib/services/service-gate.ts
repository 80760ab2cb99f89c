import { FsError } from '../core/index.js';
import { decide, type Action, type Session, type ServiceFacts } from '../policy/index.js';

/**
 * `decide` for one service, remembered for each session snapshot. Denial looks like absence: what may
 * not be observed is ENOENT, what may only not be done is EACCES.
 */
export class ServiceGate {
  readonly #facts: () => ServiceFacts;
  #known = new WeakMap<Session, Map<Action, boolean>>();

  constructor(facts: () => ServiceFacts) {
    this.#facts = facts;
  }

  /** The facts changed: judge anew. */
  forget(): void {
    this.#known = new WeakMap();
  }

  allows(session: Session, action: Action): boolean {
    let decisions = this.#known.get(session);
    if (decisions === undefined) this.#known.set(session, (decisions = new Map<Action, boolean>()));
    let allowed = decisions.get(action);
    if (allowed === undefined)
      decisions.set(action, (allowed = decide(session, this.#facts(), action).allow));
    return allowed;
  }

  /** Whether the session would see the service, were these its permissions. */
  wouldShow(session: Session, permissions: ServiceFacts['permissions']): boolean {
    return decide(session, { ...this.#facts(), permissions }, 'observe').allow;
  }

  /** @throws FsError ENOENT or EACCES unless the session may do it. */
  require(session: Session, action: Action): void {
    if (this.allows(session, action)) return;
    if (action === 'observe' || !this.allows(session, 'observe'))
      throw new FsError('ENOENT', 'There is no such service.');
    throw new FsError('EACCES', `This session may not ${action} the service ${this.#facts().serviceId}.`, {
      hint: 'An admin can find out why: acheron explain --as ROLE SERVICE ACTION.',
    });
  }
}
