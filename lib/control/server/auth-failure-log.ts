import type { Clock, JsonObject, Log } from '../../core/index.js';
import type { AuditLog } from '../store/audit.js';

/** What somebody who has not said who he is was refused. */
export interface AuthFailure {
  readonly act: 'login' | 'node_login' | 'node_join' | 'node_join_request';
  readonly address: string;
  readonly reason:
    | 'bad_token'
    | 'bad_console_code'
    | 'bad_node_secret'
    | 'bad_invite'
    | 'bad_request_secret'
    | 'rate_limited';
  /** The node whose secret was tried. Never what was offered. */
  readonly nodeId?: string;
}

/** So many lines go to the audit log in one window: from one address, and from all together. */
export const REFUSALS_PER_ADDRESS = 10;
export const REFUSALS_PER_WINDOW = 100;
export const REFUSALS_WINDOW_MS = 10 * 60 * 1000;

/**
 * Failed logins, bad invites and refused pairing in the audit log, a line each; beyond the limits one line
 * at the window's end says how many more there were, so that guessing all day cannot fill the disk.
 */
export class AuthFailureLog {
  readonly #audit: Pick<AuditLog, 'record'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #byAddress = new Map<string, number>();
  #recorded = 0;
  #more = 0;
  #stopWindow: (() => void) | undefined;

  constructor(audit: Pick<AuditLog, 'record'>, clock: Clock, log: Log) {
    this.#audit = audit;
    this.#clock = clock;
    this.#log = log;
  }

  note({ act, address, reason, nodeId }: AuthFailure): void {
    this.#stopWindow ??= this.#clock.after(REFUSALS_WINDOW_MS, () => this.#endWindow());
    const before = this.#byAddress.get(address) ?? 0;
    if (this.#recorded >= REFUSALS_PER_WINDOW || before >= REFUSALS_PER_ADDRESS) {
      this.#more++;
      return;
    }
    this.#recorded++;
    this.#byAddress.set(address, before + 1);
    const facts = { act, outcome: 'denied', reason, address };
    this.#record(nodeId === undefined ? facts : { ...facts, target: { node_id: nodeId } });
  }

  /** Says what was left out so far. */
  close(): void {
    this.#stopWindow?.();
    this.#endWindow();
  }

  #endWindow(): void {
    const left = this.#more;
    this.#stopWindow = undefined;
    this.#byAddress.clear();
    this.#recorded = 0;
    this.#more = 0;
    if (left > 0) this.#record({ act: 'login', outcome: 'denied', reason: 'too_many', more: left });
  }

  /** It is refused either way: an audit log that cannot be written to changes nothing about that. */
  #record(facts: JsonObject & { readonly act: string; readonly outcome: string }): void {
    try {
      this.#audit.record(facts);
    } catch (thrown) {
      this.#log.error('a refusal could not be recorded', { error: thrown });
    }
  }
}
