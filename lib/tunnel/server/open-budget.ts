import { FsError } from '../../core/index.js';

/** What the sessions of one principal may have open, over all connections of this process. */
export interface OpenLimits {
  readonly handles: number;
  /** What their descriptors keep in memory; what several share counts once. */
  readonly bytes: number;
}

export const OPEN_LIMITS: OpenLimits = { handles: 16_384, bytes: 128 * 1024 * 1024 };

interface Account {
  handles: number;
  bytes: number;
  /** How many descriptors hold which bytes. */
  readonly holders: Map<Uint8Array, number>;
}

/** Counts what principals have open, so that none of them takes the memory of all. */
export class OpenBudget {
  readonly #limits: OpenLimits;
  readonly #accounts = new Map<string, Account>();

  constructor(limits: OpenLimits = OPEN_LIMITS) {
    this.#limits = limits;
  }

  /** Counts a descriptor that keeps `holds`; what it answers gives it back. @throws FsError EMFILE */
  take(principal: string, holds: Uint8Array | undefined): () => void {
    const known = this.#accounts.get(principal);
    const account: Account = known ?? { handles: 0, bytes: 0, holders: new Map<Uint8Array, number>() };
    const shares = holds === undefined ? 0 : (account.holders.get(holds) ?? 0);
    const bytes = holds === undefined || shares > 0 ? 0 : holds.byteLength;
    if (account.handles >= this.#limits.handles) throw tooMuch('files');
    if (account.handles > 0 && account.bytes + bytes > this.#limits.bytes) throw tooMuch('content');
    this.#accounts.set(principal, account);
    account.handles++;
    account.bytes += bytes;
    if (holds !== undefined) account.holders.set(holds, shares + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      account.handles--;
      if (holds !== undefined) letGo(account, holds);
      if (account.handles === 0) this.#accounts.delete(principal);
    };
  }
}

function letGo(account: Account, holds: Uint8Array): void {
  const shares = account.holders.get(holds) ?? 1;
  if (shares > 1) {
    account.holders.set(holds, shares - 1);
    return;
  }
  account.holders.delete(holds);
  account.bytes -= holds.byteLength;
}

function tooMuch(what: string): FsError {
  return new FsError(
    'EMFILE',
    `Too many ${what === 'files' ? 'files' : 'bytes of content'} are open for you.`,
    {
      hint: 'Close some of what you have open.',
    },
  );
}

/** That of this process. */
export const openBudget = new OpenBudget();
