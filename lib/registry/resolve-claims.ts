import { findRootConflicts, type ServiceDefinition } from '../manifest/index.js';

/** One source of a service: what it says now, and what it gave when it was last accepted. */
export interface Candidate {
  /** A file, or the name of what is built in; unique. */
  readonly source: string;
  readonly wanted: ServiceDefinition | undefined;
  readonly held: ServiceDefinition | undefined;
}

/** What a source wants and cannot have, because another source has it. */
export interface Refusal {
  readonly source: string;
  readonly against: string;
  readonly claim: 'service_id' | 'mounts';
  readonly message: string;
}

export interface Resolution {
  /** What each source gives, in the order of the candidates. */
  readonly chosen: ReadonlyMap<string, ServiceDefinition>;
  readonly refusals: readonly Refusal[];
}

interface Conflict {
  readonly first: string;
  readonly second: string;
  readonly claim: Refusal['claim'];
  readonly message: string;
  /** Whether a definition makes the claim that this conflict is about. */
  readonly claims: (side: 'first' | 'second', definition: ServiceDefinition) => boolean;
}

/**
 * Settles which source gets a service id or a root that several sources ask for: the one that was there stays, and
 * a source that is refused falls back to what it held. Where none was there, the earlier source gets it. Pure.
 */
export function resolveClaims(candidates: readonly Candidate[]): Resolution {
  const bySource = new Map(candidates.map((candidate, order) => [candidate.source, { candidate, order }]));
  const chosen = new Map<string, ServiceDefinition>();
  for (const { source, wanted, held } of candidates) {
    const definition = wanted ?? held;
    if (definition !== undefined) chosen.set(source, definition);
  }
  const refusals: Refusal[] = [];
  for (;;) {
    const conflicts = findConflicts(chosen);
    if (conflicts.length === 0) return { chosen, refusals };
    const settled = new Set<string>();
    for (const conflict of conflicts) {
      if (settled.has(conflict.first) || settled.has(conflict.second)) continue;
      const isThere = (side: 'first' | 'second'): boolean => {
        const { held } = bySource.get(conflict[side])!.candidate;
        return held !== undefined && conflict.claims(side, held);
      };
      const earlier =
        bySource.get(conflict.first)!.order <= bySource.get(conflict.second)!.order ? 'first' : 'second';
      const winner = isThere('first') === isThere('second') ? earlier : isThere('first') ? 'first' : 'second';
      const loser = winner === 'first' ? conflict.second : conflict.first;
      const { held } = bySource.get(loser)!.candidate;
      if (held === undefined || held === chosen.get(loser)) chosen.delete(loser);
      else chosen.set(loser, held);
      settled.add(loser);
      refusals.push({
        source: loser,
        against: conflict[winner],
        claim: conflict.claim,
        message: conflict.message,
      });
    }
  }
}

function findConflicts(chosen: ReadonlyMap<string, ServiceDefinition>): Conflict[] {
  const conflicts: Conflict[] = [];
  const holders = new Map<string, string>();
  for (const [source, { serviceId }] of chosen) {
    const first = holders.get(serviceId);
    if (first === undefined) holders.set(serviceId, source);
    else
      conflicts.push({
        first,
        second: source,
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
