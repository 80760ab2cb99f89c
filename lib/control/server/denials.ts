import { Repeats, type Clock, type JsonObject, type Log } from '../../core/index.js';
import type { AuditLog } from '../store/audit.js';

type Denial = JsonObject & { readonly act: string };

/**
 * What sessions were denied, in the audit log: the first of an act of a token at once, the same again within
 * ten seconds in one line with `repeats`, so that who is denied all day costs nothing but himself.
 */
export class Denials {
  readonly #groups: Repeats<Denial>;

  constructor(audit: AuditLog, clock: Clock, log: Log) {
    this.#groups = new Repeats(clock, (facts, repeats) => {
      try {
        audit.record({ ...facts, outcome: 'denied', ...(repeats === 0 ? {} : { repeats }) });
      } catch (thrown) {
        // It is denied either way.
        log.error('A denial could not be recorded.', { error: thrown });
      }
    });
  }

  note(tokenId: string, denial: Denial): void {
    this.#groups.note(`${tokenId} ${denial.act}`, denial);
  }

  close(): void {
    this.#groups.close();
  }
}
