import type { JsonValue } from '../core/index.js';
import { decide, type Session } from '../policy/index.js';

/** The sessions that may know of a service, from one change of its permissions to the next. */
interface Law {
  readonly permissions: JsonValue | undefined;
  readonly text: string;
  next: Law | null;
  readonly isKnownTo: (session: Session) => boolean;
}

/**
 * Which sessions may know of what happened to the services of a node: those that could see the service ever since. So
 * an event about what is hidden stays hidden when the service is removed, or is shown again.
 */
export class EventRules {
  readonly #nodeId: string;
  readonly #nodeProjects: () => readonly string[];
  readonly #laws = new Map<string, Law>();

  constructor(nodeId: string, nodeProjects: () => readonly string[]) {
    this.#nodeId = nodeId;
    this.#nodeProjects = nodeProjects;
  }

  /** These are the service's permissions from now on. */
  set(serviceId: string, permissions: JsonValue | undefined): void {
    const text = permissions === undefined ? '' : JSON.stringify(permissions);
    const before = this.#laws.get(serviceId);
    if (before?.text === text) return;
    const nodeId = this.#nodeId;
    const law: Law = {
      permissions,
      text,
      next: null,
      isKnownTo: (session) => {
        for (let now: Law | null = law; now !== null; now = now.next) {
          const facts = {
            nodeId,
            serviceId,
            permissions: now.permissions,
            nodeProjects: this.#nodeProjects(),
          };
          if (!decide(session, facts, 'observe').allow) return false;
        }
        return true;
      },
    };
    if (before !== undefined) before.next = law;
    this.#laws.set(serviceId, law);
  }

  /** For an event that happens now; the same function until the permissions change. */
  ruleFor(serviceId: string): (session: Session) => boolean {
    return this.#laws.get(serviceId)?.isKnownTo ?? isAdmin;
  }
}

export function isAdmin(session: Session): boolean {
  return session.role === 'admin' && !session.revoked;
}
