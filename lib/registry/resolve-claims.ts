import { findRootConflicts, type ServiceDefinition } from '../manifest/index.js';

/** What of a service others may claim too. */
export type Claims = Pick<ServiceDefinition, 'serviceId' | 'mounts'>;

/** One source of a service: what it says now, and what it gave when it was last accepted. */
export interface Candidate<Service extends Claims = ServiceDefinition> {
  /** A file, or the name of what is built in; unique. */
  readonly source: string;
  readonly wanted: Service | undefined;
  readonly held: Service | undefined;
}

/** What a source wants and cannot have, because another source has it. */
export interface Refusal {
  readonly source: string;
  readonly against: string;
  readonly claim: 'service_id' | 'mounts';
  readonly message: string;
}

export interface Resolution<Service extends Claims = ServiceDefinition> {
  /** What each source gives, in the order of the candidates. */
  readonly chosen: ReadonlyMap<string, Service>;
  readonly refusals: readonly Refusal[];
}

/** A candidate and its place among all. */
interface Contender<Service extends Claims> extends Candidate<Service> {
  readonly order: number;
}

interface Conflict<Service extends Claims> {
  readonly first: Contender<Service>;
  readonly second: Contender<Service>;
  readonly claim: Refusal['claim'];
  readonly message: string;
  /** Whether a definition makes the claim that this conflict is about. */
  readonly claims: (side: 'first' | 'second', service: Claims) => boolean;
}

/**
 * Settles which source gets a service id or a root that several sources ask for: the one that was there stays, and
 * a source that is refused falls back to what it held. Where none was there, the earlier source gets it. Pure.
 */
export function resolveClaims<Service extends Claims>(
  candidates: readonly Candidate<Service>[],
): Resolution<Service> {
  const chosen = new Map<Contender<Service>, Service>();
  for (const [order, candidate] of candidates.entries()) {
    const definition = candidate.wanted ?? candidate.held;
    if (definition !== undefined) chosen.set({ ...candidate, order }, definition);
  }
  const refusals: Refusal[] = [];
  for (;;) {
    const conflicts = findConflicts(chosen);
    if (conflicts.length === 0)
      return {
        chosen: new Map([...chosen].map(([{ source }, definition]) => [source, definition])),
        refusals,
      };
    const settled = new Set<Contender<Service>>();
    for (const conflict of conflicts) {
      if (settled.has(conflict.first) || settled.has(conflict.second)) continue;
      const isThere = (side: 'first' | 'second'): boolean => {
        const { held } = conflict[side];
        return held !== undefined && conflict.claims(side, held);
      };
      const earlier = conflict.first.order <= conflict.second.order ? 'first' : 'second';
      const winner = isThere('first') === isThere('second') ? earlier : isThere('first') ? 'first' : 'second';
      const loser = winner === 'first' ? conflict.second : conflict.first;
      const { held } = loser;
      if (held === undefined || held === chosen.get(loser)) chosen.delete(loser);
      else chosen.set(loser, held);
      settled.add(loser);
      refusals.push({
        source: loser.source,
        against: conflict[winner].source,
        claim: conflict.claim,
        message: conflict.message,
      });
    }
  }
}

function findConflicts<Service extends Claims>(
  chosen: ReadonlyMap<Contender<Service>, Service>,
): Conflict<Service>[] {
  const conflicts: Conflict<Service>[] = [];
  const holders = new Map<string, Contender<Service>>();
  for (const [contender, { serviceId }] of chosen) {
    const first = holders.get(serviceId);
    if (first === undefined) holders.set(serviceId, contender);
    else
      conflicts.push({
        first,
        second: contender,
        claim: 'service_id',
        message: `The service ${JSON.stringify(serviceId)} exists already`,
        claims: (_side, definition) => definition.serviceId === serviceId,
      });
  }
  if (conflicts.length > 0) return conflicts;
  const roots = [...chosen].flatMap(([owner, definition]) =>
    definition.mounts.map(({ mountPath }) => ({ path: mountPath, owner })),
  );
  for (const { first, second, message } of findRootConflicts(roots))
    conflicts.push({
      first: first.owner,
      second: second.owner,
      claim: 'mounts',
      message,
      claims: (side, definition) => {
        const { path } = side === 'first' ? first : second;
        return definition.mounts.some((mount) => mount.mountPath === path);
      },
    });
  return conflicts;
}
