import type { JsonObject, JsonValue, Log } from '../../core/index.js';
import type { Extent, SegmentLog } from '../../disk/index.js';
import { blobsFromWhole, endFromHeader, jobFromHeader, metricsOfHeader } from './job-records.js';
import type { Job } from './job.js';

/** What a log of jobs holds. */
export interface Replayed {
  readonly jobs: ReadonlyMap<string, Job>;
  /** Those that were forgotten, or had left the list when they were moved. */
  readonly unlisted: ReadonlySet<string>;
  /** Up to which finish the outcomes of a principal (null: of all) were reset. */
  readonly resets: ReadonlyMap<string | null, number>;
  /** The newest finish that a segment was started after. */
  readonly sequence: number;
  /** The metrics that were recorded last. */
  readonly metrics: JsonObject | null;
}

/** Reads all records of `log`; `report` gets a warning of kinds that are not known, which are left alone. */
export function replayJobs(log: SegmentLog, report: Pick<Log, 'warn'>): Replayed {
  const jobs = new Map<string, Job>();
  const unlisted = new Set<string>();
  const resets = new Map<string | null, number>();
  let sequence = 0;
  let metrics: JsonObject | null = null;

  log.replay((header: JsonObject, body: Extent) => {
    const id = typeof header.id === 'string' ? header.id : '';
    const job = jobs.get(id);
    switch (header.t) {
      case 'segment':
        sequence = Math.max(sequence, Number(header.n));
        metrics = metricsOfHeader(header) ?? metrics;
        for (const reset of (header.resets ?? []) as [string | null, number][])
          resets.set(reset[0], reset[1]);
        break;
      case 'accept': {
        const accepted = jobFromHeader(log, header);
        accepted.request.add(body);
        put(accepted);
        break;
      }
      case 'job': {
        const whole = jobFromHeader(log, header);
        endFromHeader(whole, header);
        blobsFromWhole(whole, header, body);
        if (!(header.held as readonly JsonValue[]).includes('listed')) unlisted.add(id);
        put(whole);
        break;
      }
      case 'out':
        job?.[header.s === 'stdout' ? 'stdout' : 'stderr'].add(body);
        break;
      case 'file':
        if (typeof header.name === 'string') job?.fileNamed(header.name).add(body);
        break;
      case 'finish':
        if (job !== undefined) {
          endFromHeader(job, header);
          job.result.add(body);
        }
        metrics = metricsOfHeader(header) ?? metrics;
        break;
      case 'forget':
        unlisted.add(id);
        break;
      case 'reset':
        resets.set(typeof header.principal === 'string' ? header.principal : null, Number(header.n));
        break;
      default:
        report.warn('A job record of an unknown kind was left alone.', { kind: header.t });
    }
  });
  return { jobs, unlisted, resets, sequence, metrics };

  /** What was moved within the log is found again further on. */
  function put(job: Job): void {
    for (const blob of jobs.get(job.id)?.blobs ?? []) blob.release();
    jobs.set(job.id, job);
  }
}
