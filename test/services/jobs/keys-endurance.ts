/**
 * A program to run by hand: `node dist/test/services/jobs/keys-endurance.js [KEYS]`. So many keyed calls end in a
 * store of jobs, with kills in between; then it says how long a start takes, what it takes of memory, what a call costs
 * then, and whether a sample of the keys is known.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newInvocationId, silentLog } from '../../../lib/core/index.js';
import { DiskReserve } from '../../../lib/disk/index.js';
import { DEFAULT_JOB_LIMITS } from '../../../lib/services/jobs/job-limits.js';
import { JobStore } from '../../../lib/services/jobs/job-store.js';
import type { JobEnd, JobOwner } from '../../../lib/services/jobs/job.js';

const keys = Number(process.argv[2] ?? 1_000_000);
const dir = mkdtempSync(join(tmpdir(), 'acheron-keys-'));
const by: JobOwner = { principal: 'p', sessionId: 's', role: 'user', agentId: 'a', projectId: null };
const reserve = new DiskReserve(join(dir, 'reserve'), { log: silentLog });
const limits = { ...DEFAULT_JOB_LIMITS, maxKeys: keys + 1 };
const open = (): JobStore =>
  JobStore.open({ dir, limits, fsync: false, now: () => Date.now(), log: silentLog, reserve }).store;
const megabytes = (): number => {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().rss / 1024 / 1024);
};

try {
  const before = megabytes();
  let store = open();
  const call = (n: number): void => {
    const key = { key: `key-${n}`, digest: 'd'.repeat(64) };
    const job = store.accept(by, Buffer.from(`{"n":${n}}`), { id: newInvocationId(Date.now()), key });
    const end: JobEnd = {
      state: 'ok',
      exitCode: 0,
      errno: null,
      error: null,
      hint: null,
      finishedAtMs: Date.now(),
    };
    store.finish(job.endedWith(end), Buffer.from(`{\n  "n": ${n}\n}\n`), {});
  };
  const begunMs = performance.now();
  for (let n = 0; n < keys; n++) {
    call(n);
    if (n % Math.ceil(keys / 10) === 0) store = open(); // as after a kill: nothing was closed
  }
  const callUs = ((performance.now() - begunMs) * 1000) / keys;
  store.close();
  const startMs = performance.now();
  store = open();
  const tookMs = performance.now() - startMs;
  let lost = 0;
  for (let n = 0; n < keys; n += 101)
    if (store.byKey('p', `key-${n}`)?.result.all().toString() !== `{\n  "n": ${n}\n}\n`) lost++;
  const lateMs = performance.now();
  for (let n = keys; n < keys + 1000; n++) call(n);
  const lateUs = performance.now() - lateMs;
  store.close();
  console.log(
    JSON.stringify({
      keys,
      lost,
      call_us: Math.round(callUs),
      call_us_at_the_end: Math.round(lateUs),
      start_ms: Math.round(tookMs),
      more_memory_mib: megabytes() - before,
    }),
  );
} finally {
  reserve.close();
  rmSync(dir, { recursive: true, force: true });
}
