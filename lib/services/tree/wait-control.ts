import { FsError } from '../../core/index.js';
import type { Op } from '../../vfs/index.js';
import type { Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { OneShotControl } from './one-shot-control.js';

const MAX_SECONDS = 24 * 60 * 60;

/**
 * `jobs/<id>/wait`: the write of a number of seconds returns when the job has ended, at once where it has, or
 * fails with ETIMEDOUT when they are over. `check` throws what a session is to see that may not know of the job.
 */
export function waitControl(service: Service, job: Job, check: (op: Op) => void): OneShotControl {
  return new OneShotControl(service, {
    action: 'observe',
    usage: 'Write a number of seconds here: the write returns when the invocation has ended, or fails then.',
    act: (written, op) => {
      check(op);
      const ms = millisecondsFrom(written);
      return job.end === null ? ended(service, job, ms, op.signal) : undefined;
    },
  });
}

/** @throws FsError EINVAL */
function millisecondsFrom(written: string): number {
  const seconds = /^\d{1,5}(\.\d{1,9})?$/.test(written) ? Number(written) : NaN;
  if (seconds <= MAX_SECONDS) return seconds * 1000;
  throw new FsError('EINVAL', 'That is not a number of seconds up to a day.', {
    hint: 'For a minute, for instance: echo 60 > wait',
  });
}

function ended(service: Service, job: Job, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stopClock();
      signal.removeEventListener('abort', abandon);
    };
    const abandon = (): void => {
      settle();
      reject(FsError.from(signal.reason));
    };
    const stopClock = service.clock.after(ms, () => {
      settle();
      reject(
        new FsError('ETIMEDOUT', 'The invocation has not ended yet.', {
          hint: 'It runs on. Write here again to wait longer; cancel beside it ends it.',
        }),
      );
    });
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
    void service.ended(job).then(() => {
      settle();
      resolve();
    });
  });
}
