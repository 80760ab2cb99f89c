import { FsError, Repeats, systemClock, type Log } from '../core/index.js';
import { idsOfUser } from '../drivers/index.js';
import { principalOf, type Session } from '../policy/index.js';
import type { Identity, UserMap } from '../providers/index.js';
import type { UserMapRequest } from './export-request.js';
import { identityOf } from './identity-of.js';

/** So long a user's groups are taken for what they were. */
const GROUPS_MS = 10_000;
const MAX_KNOWN = 1024;
const RANGE = /^(\d+)-(\d+)$/;
/** Those from here on are nobody's, or stand for "unchanged". */
const END_OF_UIDS = 4_294_967_294;

/** Stands for all sessions in place of an agent. */
const ANYBODY = '*';

/**
 * The users whom remote callers of the export `name` may ask to act as, of which root is one only where it is named.
 * @throws FsError EPERM for users whom this process cannot be; EINVAL for a range that is none; what `idsOfUser` throws
 */
export function userMapFor(name: string, request: UserMapRequest, log: Log): UserMap {
  const ranges = request.users.map((text): readonly [number, number] => {
    const [, first, last] = RANGE.exec(text) ?? [];
    const uid = first === undefined ? idsOfUser(text).uid : Number(first);
    const range = [uid, last === undefined ? uid : Number(last)] as const;
    checkRange(name, text, range, last !== undefined);
    return range;
  });
  return new AllowedUsers(name, ranges, new Set(request.agents), log);
}

function checkRange(
  name: string,
  text: string,
  [first, last]: readonly [number, number],
  isRange: boolean,
): void {
  const own = process.geteuid?.();
  if (own !== 0 && (first !== own || last !== own))
    throw new FsError(
      'EPERM',
      `The export ${JSON.stringify(name)} cannot map to ${text}: this node is not root.`,
      {
        hint: 'Leave it out of :map=, or start the node as root.',
      },
    );
  if (first > last || last >= END_OF_UIDS)
    throw new FsError('EINVAL', `${text} in :map= of the export ${JSON.stringify(name)} names no users.`, {
      hint: 'A range looks like 1000-1999.',
    });
  if (isRange && first === 0)
    throw new FsError('EPERM', `The range ${text} of the export ${JSON.stringify(name)} has root in it.`, {
      hint: 'Begin it at 1; or say :map=root,… if that is meant.',
    });
}

interface Known {
  readonly identity: Identity;
  readonly untilMs: number;
}

class AllowedUsers implements UserMap {
  readonly #name: string;
  readonly #ranges: readonly (readonly [number, number])[];
  readonly #agents: ReadonlySet<string>;
  readonly #known = new Map<number, Known>();
  readonly #refusals: Repeats<{ readonly uid: number; readonly principal: string }>;

  constructor(
    name: string,
    ranges: readonly (readonly [number, number])[],
    agents: ReadonlySet<string>,
    log: Log,
  ) {
    this.#name = name;
    this.#ranges = ranges;
    this.#agents = agents;
    this.#refusals = new Repeats(systemClock, (facts, repeats) =>
      log.warn('A session asked to act as a user whom the export does not let it be.', {
        export: name,
        ...facts,
        ...(repeats > 0 ? { repeats } : {}),
      }),
    );
  }

  identityOf(uid: number, session: Session): Identity | null {
    if (!this.#mayAsk(session) || !this.#ranges.some(([first, last]) => uid >= first && uid <= last)) {
      const principal = principalOf(session);
      this.#refusals.note(`${uid} ${principal}`, { uid, principal });
      throw new FsError(
        'EACCES',
        `This session may not act as the user ${uid} in the export ${this.#name}.`,
        {
          hint: 'Its admin says with :map= who may act as whom (docs/ADMIN.md).',
        },
      );
    }
    return uid === 0 ? null : this.#identity(uid);
  }

  #mayAsk({ role, agentId }: Session): boolean {
    return role === 'admin' || this.#agents.has(ANYBODY) || (agentId !== null && this.#agents.has(agentId));
  }

  #identity(uid: number): Identity {
    const nowMs = systemClock.now();
    const known = this.#known.get(uid);
    if (known !== undefined && nowMs < known.untilMs) return known.identity;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const identity = identityOf(idsOfUser(String(uid)));
    this.#known.set(uid, { identity, untilMs: nowMs + GROUPS_MS });
    return identity;
  }
}
