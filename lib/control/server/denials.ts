import { createHash } from 'node:crypto';
import { Repeats, type Clock, type JsonObject, type Log } from '../../core/index.js';
import type { AuditLog } from '../store/audit.js';

type Denial = JsonObject & { readonly act: string };

/** Into how many groups the targets of one act fall: what was tried stands in the log, and its length is bounded. */
const TARGET_GROUPS = 8;

/**
 * What sessions were denied, in the audit log: the first of an act of a token at once, the like within
 * ten seconds in one line with `repeats`, so that denials all day cost next to nothing.
 */
export class Denials {
  readonly #groups: Repeats<Denial>;

  constructor(audit: Pick<AuditLog, 'record'>, clock: Clock, log: Log) {
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
    this.#groups.note(`${tokenId} ${denial.act} ${targetGroup(denial)}`, denial);
  }

  close(): void {
    this.#groups.close();
  }
}

function targetGroup({ target }: Denial): number {
  if (target === undefined) return 0;
  return createHash('sha1').update(JSON.stringify(target)).digest().readUInt8(0) % TARGET_GROUPS;
}
