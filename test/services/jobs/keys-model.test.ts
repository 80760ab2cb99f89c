/**
 * What a store of jobs promises of keys, against a model: whatever is called, ends, fails, is forgotten or
 * reset, over borders of segments, with restarts and kills, each key within its time names its own outcome.
 */
import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from '../../support/properties.js';
import t from 'tap';
import { newInvocationId, silentLog } from '../../../lib/core/index.js';
import { DiskReserve } from '../../../lib/disk/index.js';
import type { JobLimits } from '../../../lib/services/jobs/job-limits.js';
import { JobStore } from '../../../lib/services/jobs/job-store.js';
import type { Job, JobEnd, JobOwner } from '../../../lib/services/jobs/job.js';
import { extent } from '../../support/extent.js';
import { temporaryDir } from '../../support/test-node.js';

const RUNS = extent('ACHERON_MODEL_RUNS', { short: 60, long: 2000 });
const HOUR_MS = 3_600_000;
const LIMITS: JobLimits = {
  keep: 3,
  keepBytes: 20_000,
  keyMs: 24 * HOUR_MS,
  maxKeys: 1_000_000,
  maxKeyBytes: 1e12,
  segmentBytes: 4_000,
  segmentKeys: 5,
};

type Step =
  | { readonly do: 'call'; readonly who: number; readonly key: number | null; readonly size: number }
  | { readonly do: 'end'; readonly which: number; readonly ok: boolean; readonly size: number }
  | { readonly do: 'forget' | 'reset' | 'restart' | 'kill' | 'tornKill' | 'hours'; readonly n: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      who: fc.nat(1),
      key: fc.option(fc.nat(30)),
      size: fc.oneof(fc.nat(50), fc.nat(6000)),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(5),
      ok: fc.boolean(),
      size: fc.oneof(fc.nat(50), fc.nat(6000)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('forget', 'reset', 'restart', 'kill', 'tornKill', 'hours'),
      n: fc.nat(10),
    }),
  },
);

interface Known {
  readonly who: number;
  readonly key: string;
  readonly id: string;
  readonly atMs: number;
  /** Null while it runs. */
  outcome: string | null;
}

class Run {
  readonly #dir: string;
  #nowMs = Date.parse('2026-01-01T00:00:00Z');
  readonly #reserve: DiskReserve;
  #store: JobStore;
  #live: Job[] = [];
  readonly #known = new Map<string, Known>();

  constructor(dir: string) {
    this.#dir = dir;
    this.#reserve = new DiskReserve(`${dir}.reserve`, { log: silentLog, bytes: 0 });
    this.#store = this.#open();
  }

  take(one: Step): void {
    this.#nowMs += 1000;
    switch (one.do) {
      case 'call':
        return this.#call(one.who, one.key, one.size);
      case 'end':
        return this.#end(this.#live[one.which % Math.max(1, this.#live.length)], one.ok, one.size);
      case 'forget': {
        const job = this.#store.list(null).filter(({ end }) => end !== null)[one.n];
        if (job !== undefined) this.#store.forget(job);
        return;
      }
      case 'reset':
        return this.#store.reset(null);
      case 'hours':
        this.#nowMs += one.n * HOUR_MS;
        return;
      default:
        if (one.do === 'restart') for (const job of [...this.#live]) this.#end(job, false, 0);
        this.#store.close();
        if (one.do === 'tornKill') tearEnds(this.#dir, one.n);
        this.#store = this.#open();
    }
  }

  /** The keys whose outcome is not the one that was answered. */
  faults(): unknown[] {
    const faults: unknown[] = [];
    for (const [name, known] of this.#known) {
      if (known.outcome !== null && known.atMs <= this.#nowMs - LIMITS.keyMs) continue;
      const job = this.#store.byKey(owner(known.who).principal, known.key);
      if (job?.id !== known.id || outcomeOf(job) !== known.outcome)
        faults.push({ name, known, job: job && outcomeOf(job) });
    }
    for (const who of [0, 1]) {
      const job = this.#store.byKey(owner(who).principal, 'never');
      if (job !== undefined) faults.push({ never: who });
    }
    return faults;
  }

  close(): void {
    this.#reserve.close();
    this.#store.close();
  }

  #open(): JobStore {
    const options = {
      dir: this.#dir,
      limits: LIMITS,
      fsync: false,
      now: () => this.#nowMs,
      log: silentLog,
      reserve: this.#reserve,
    };
    const { store, interrupted } = JobStore.open(options);
    this.#store = store;
    this.#live = [...interrupted];
    for (const job of interrupted) this.#end(job, false, 0);
    return store;
  }

  #call(who: number, keyNumber: number | null, size: number): void {
    const key = keyNumber === null ? null : { key: `k${keyNumber}`, digest: 'd' };
    const name = `${who} ${key?.key}`;
    if (key !== null && this.#store.byKey(owner(who).principal, key.key) !== undefined) return;
    const id = newInvocationId(this.#nowMs);
    this.#live.push(this.#store.accept(owner(who), Buffer.alloc(size + 2, 'q'), { id, key }));
    if (key !== null) this.#known.set(name, { who, key: key.key, id, atMs: this.#nowMs, outcome: null });
  }

  #end(job: Job | undefined, ok: boolean, size: number): void {
    if (job === undefined) return;
    this.#live = this.#live.filter((one) => one !== job);
    const end: JobEnd = {
      state: ok ? 'ok' : 'error',
      exitCode: ok ? 0 : 1,
      errno: ok ? null : 'EIO',
      error: ok ? null : `failed ${size}`,
      hint: null,
      finishedAtMs: this.#nowMs,
    };
    const result = ok ? Buffer.alloc(size, 'r') : Buffer.alloc(0);
    this.#store.finish(job.endedWith(end), result, {});
    const known = this.#known.get(`${job.owner.principal.slice(1)} ${job.key}`);
    if (known?.id === job.id) known.outcome = ok ? `ok ${size}` : `failed ${size}`;
  }
}

function owner(who: number): JobOwner {
  return { principal: `p${who}`, sessionId: 's', role: 'user', agentId: null, projectId: null };
}

function outcomeOf(job: Job): string | null {
  if (job.end === null) return null;
  return job.end.state === 'ok' ? `ok ${job.result.all().length}` : job.end.error;
}

/** What a kill in the midst of a write leaves: the first bytes of a record. */
function tearEnds(dir: string, bytes: number): void {
  const torn = '0123abcd {"t":"accept","id":"x","len":5}\nab'.slice(0, bytes * 4);
  for (const folder of [dir, join(dir, 'keys')]) {
    if (!existsSync(folder)) continue;
    const newest = readdirSync(folder)
      .filter((name) => /^\d+\.log$/.test(name))
      .sort()
      .at(-1);
    if (newest !== undefined) appendFileSync(join(folder, newest), torn);
  }
}

t.test(
  'a key names its outcome over borders of segments, retention, failures, restarts and kills [P]',
  { timeout: 600_000 },
  async (t) => {
    t.comment(`${RUNS} runs`);
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        const run = new Run(join(temporaryDir(t), 'jobs'));
        try {
          for (const [at, one] of steps.entries()) {
            run.take(one);
            if (at % 8 === 0 || one.do === 'kill' || one.do === 'restart' || one.do === 'tornKill') {
              const faults = run.faults();
              if (faults.length > 0)
                throw new Error(`after step ${at}: ${JSON.stringify(faults.slice(0, 3))}`);
            }
          }
          const faults = run.faults();
          if (faults.length > 0) throw new Error(JSON.stringify(faults.slice(0, 3)));
        } finally {
          run.close();
        }
      }),
      { numRuns: RUNS },
    );
    t.pass(`${RUNS} runs`);
  },
);
