import type { Segment, SegmentLog } from '../../disk/index.js';
import { acceptHeader, blobsFromWhole, wholeHeader } from './job-records.js';
import type { Job } from './job.js';

/** Writes what `jobs` have in `segment` once more, at the end of the log, so that nothing in it is needed. */
export function compact(log: SegmentLog, jobs: Iterable<Job>, segment: Segment): void {
  for (const job of jobs) {
    if (!job.blobs.some((blob) => blob.isIn(segment))) continue;
    if (job.end === null) moveLive(log, job);
    else {
      const header = wholeHeader(job);
      blobsFromWhole(job, header, log.append(header, ...job.blobs.map((blob) => blob.all())));
    }
  }
}

function moveLive(log: SegmentLog, job: Job): void {
  job.request.moveTo(log.append(acceptHeader(job), job.request.all()));
  for (const stream of ['stdout', 'stderr'] as const) {
    if (job[stream].size > 0)
      job[stream].moveTo(log.append({ t: 'out', id: job.id, s: stream, at: 0 }, job[stream].all()));
  }
}
