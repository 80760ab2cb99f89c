import type { Clock, JsonObject } from '../../core/index.js';
import type { AuditOwner, AuditOwners } from './audit-owners.js';
import type { ControlDatabase } from './database.js';
import { excesses, lowWater, type Measure } from './fair-share.js';

/** How much of the audit log is kept. */
export interface AuditRetention {
  readonly maxRecords: number;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export const DEFAULT_AUDIT_RETENTION: AuditRetention = {
  maxRecords: 10_000_000,
  maxAgeMs: 365 * 24 * 60 * 60 * 1000,
  maxBytes: 1024 * 1024 * 1024,
};

/** Records that go at once: more would hold up everybody. */
const STEP_ROWS = 4096;
/** Owners that are named in the record of a sweep. */
const MAX_NAMED = 32;

type Removal = JsonObject & { readonly removed: number };

/**
 * Removes what is too old or too much, the oldest of those first who have the most: first of the origins (the
 * control plane, each node), within them of the principals. So nobody pushes out the records of others.
 */
export class AuditSweep {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #owners: AuditOwners;
  readonly #keep: AuditRetention;
  /** What is being made smaller until it is below its low water. */
  readonly #sweeping = new Set<Measure>();

  constructor(db: ControlDatabase, clock: Clock, owners: AuditOwners, keep: AuditRetention) {
    this.#db = db;
    this.#clock = clock;
    this.#owners = owners;
    this.#keep = keep;
  }

  /** One step, within a transaction; answers what is to be recorded of it, or undefined where nothing went. */
  step(withAge: boolean): JsonObject | undefined {
    for (const measure of ['bytes', 'records'] as const) {
      const most = measure === 'bytes' ? this.#keep.maxBytes : this.#keep.maxRecords;
      const low = lowWater(most);
      if (this.#owners[measure] > most) this.#sweeping.add(measure);
      if (this.#owners[measure] <= low) this.#sweeping.delete(measure);
      if (!this.#sweeping.has(measure)) continue;
      const gone = this.#shrink(measure, low);
      if (gone.length > 0) return sweepFacts(measure === 'bytes' ? 'size' : 'count', gone);
    }
    if (!withAge) return undefined;
    const gone = this.#forgetOld();
    return gone.length === 0 ? undefined : sweepFacts('age', gone);
  }

  #shrink(measure: Measure, budget: number): Removal[] {
    const gone: Removal[] = [];
    let rows = STEP_ROWS;
    for (const { account, excess } of excesses(this.#owners.all, measure, budget)) {
      if (rows <= 0) break;
      let left = excess;
      const removal = this.#remove(account, rows, (row) => {
        if (left <= 0) return false;
        left -= measure === 'bytes' ? row.bytes : 1;
        return true;
      });
      rows -= removal?.removed ?? 0;
      if (removal !== undefined) gone.push(removal);
    }
    return gone;
  }

  #forgetOld(): Removal[] {
    const before = this.#clock.now() - this.#keep.maxAgeMs;
    const gone: Removal[] = [];
    let rows = STEP_ROWS;
    for (const owner of this.#owners.all) {
      if (rows <= 0) break;
      const removal = this.#remove(owner, rows, (row) => row.atMs < before);
      rows -= removal?.removed ?? 0;
      if (removal !== undefined) gone.push(removal);
    }
    return gone;
  }

  /** Removes the oldest records of an owner for as long as `goes` says so. */
  #remove(
    owner: AuditOwner,
    most: number,
    goes: (row: { bytes: number; atMs: number }) => boolean,
  ): Removal | undefined {
    let [removed, bytes, untilId, untilMs] = [0, 0, 0, 0];
    for (let going = true; going && removed < most;) {
      const rows = this.#db.all(
        `SELECT audit_id, bytes, timestamp_ms FROM audit
         WHERE origin = ? AND owner = ? AND audit_id > ? ORDER BY audit_id LIMIT ?`,
        owner.origin,
        owner.owner,
        untilId,
        Math.min(256, most - removed),
      );
      if (rows.length === 0) break;
      for (const row of rows) {
        const size = row['bytes'] as number;
        const atMs = row['timestamp_ms'] as number;
        going = goes({ bytes: size, atMs });
        if (!going) break;
        removed++;
        bytes += size;
        untilId = row['audit_id'] as number;
        untilMs = atMs;
      }
    }
    if (removed === 0) return undefined;
    const { origin, owner: name } = owner;
    // The database lets go of what is named here, and of nothing else.
    this.#db.run('INSERT INTO audit_sweep (origin, owner, until_id) VALUES (?,?,?)', origin, name, untilId);
    const where = 'origin = ? AND owner = ?';
    this.#db.run(`DELETE FROM audit WHERE ${where} AND audit_id <= ?`, origin, name, untilId);
    this.#db.run(`DELETE FROM audit_sweep WHERE ${where}`, origin, name);
    this.#owners.remove(owner, removed, bytes);
    return {
      origin,
      of: JSON.parse(name) as JsonObject,
      removed,
      until_audit_id: untilId,
      until_timestamp_ms: untilMs,
    };
  }
}

function sweepFacts(reason: string, gone: readonly Removal[]): JsonObject {
  const removed = gone.reduce((sum, one) => sum + one.removed, 0);
  const more = gone.length - MAX_NAMED;
  return { reason, removed, whose: gone.slice(0, MAX_NAMED), ...(more > 0 ? { more_owners: more } : {}) };
}
