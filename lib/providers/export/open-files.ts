import { readFileSync } from 'node:fs';
import { FsError, type Log } from '../../core/index.js';
import { principalOf } from '../../policy/index.js';
import type { Op } from '../../vfs/index.js';

/** As many descriptors are left to calls and control, or half of what there are. */
const RESERVE = 1024;
/** The part of the rest that one caller may hold, so that others find some. */
const SHARE = 0.75;

interface Account {
  open: number;
  /** Logged, and not again until much was closed. */
  isLogged: boolean;
}

/**
 * How many descriptors of this process the files that are open in exports take: so many that calls and control go on,
 * whatever a caller opens. A caller is a local user, or the principal of a session that comes from elsewhere.
 */
export class OpenFiles {
  readonly #most: number;
  readonly #accounts = new Map<string, Account>();
  #open = 0;

  constructor(limit: number) {
    this.#most = limit - Math.min(RESERVE, Math.floor(limit / 2));
  }

  /** @throws FsError ENFILE where one more would be too many */
  check(op: Op, log: Log): void {
    const caller = callerOf(op);
    const account = this.#accounts.get(caller);
    const most = Math.floor(this.#most * SHARE);
    const isGreedy = account !== undefined && account.open >= most;
    if (!isGreedy && this.#open < this.#most) return;
    if (account !== undefined && !account.isLogged) {
      account.isLogged = true;
      log.warn('A caller is refused more open files of exports.', { caller, open: account.open });
    }
    throw new FsError('ENFILE', 'Too many files of exports are open.', {
      hint: isGreedy
        ? `One caller may have ${most} open here: close some, or start the node with a higher limit (ulimit -n).`
        : 'Others hold them. Try again later, or start the node with a higher limit (ulimit -n).',
    });
  }

  /** Counts one more; what it answers gives it back. */
  take(op: Op): () => void {
    const caller = callerOf(op);
    let account = this.#accounts.get(caller);
    if (account === undefined) this.#accounts.set(caller, (account = { open: 0, isLogged: false }));
    const counted = account;
    counted.open += 1;
    this.#open += 1;
    return () => {
      counted.open -= 1;
      this.#open -= 1;
      if (counted.open < (this.#most * SHARE) / 2) counted.isLogged = false;
      if (counted.open === 0) this.#accounts.delete(caller);
    };
  }
}

function callerOf({ caller, session }: Op): string {
  return caller === undefined ? principalOf(session) : `uid ${caller.uid}`;
}

/** What this process may have open (proc(5), `limits`). Node has raised the soft limit to the hard one. */
function limitOfProcess(): number {
  try {
    const line = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return line === undefined || line === 'unlimited' ? Infinity : Number(line);
  } catch {
    // Without /proc it is not known, and little is taken for granted.
    return RESERVE;
  }
}

let shared: OpenFiles | undefined;

/** Those of this process. */
export function openFilesOfProcess(): OpenFiles {
  return (shared ??= new OpenFiles(limitOfProcess()));
}
