import { FsError } from '../../../core/index.js';
import type { SegmentLog } from '../../../disk/index.js';
import { finishHeader } from '../job-records.js';
import type { Job, KeyedJob } from '../job.js';
import type { KeyJournal } from './key-journal.js';

/**
 * Makes the journal of keys and the job log say the same, after a kill between the two, the loss of a part of
 * either, or an earlier release that kept keys in the job log alone. `jobs`: of each key the newest.
 */
export function reconcileKeys(
  jobs: Iterable<KeyedJob>,
  log: SegmentLog,
  journal: KeyJournal,
  oldestMs: number,
): void {
  for (const job of jobs) {
    if (job.acceptedAtMs <= oldestMs) continue;
    const known = journal.state(job.owner.principal, job.key);
    if (known === 'ended') {
      if (job.end === null) takeEnd(job, log, journal);
      continue;
    }
    if (known === 'unknown') journal.accept(job);
    if (job.end !== null) journal.end(job, job.result.all());
  }
}

/** The job log lost how the job ended; what is kept of its key says it. */
function takeEnd(job: KeyedJob, log: SegmentLog, journal: KeyJournal): void {
  let kept: Job | undefined;
  try {
    kept = journal.find(job.owner.principal, job.key);
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'EIO') throw thrown;
  }
  if (kept?.id !== job.id) return;
  job.startedAtMs = kept.startedAtMs;
  job.end = kept.end;
  job.finishSequence = kept.finishSequence;
  job.changedAtMs = kept.changedAtMs;
  job.result.add(log.append(finishHeader(job, null), kept.result.all()));
}
