import { FsError, isJsonObject, type JsonObject } from '../../core/index.js';
import type { Op } from '../../vfs/index.js';
import type { Job } from '../jobs/job.js';
import type { Service } from '../service.js';
import { OneShotControl } from './one-shot-control.js';

/** `jobs/<id>/answer.json`: the object that is written there answers what the driver asks, `null` declines. */
export function answerControl(service: Service, job: Job, check: (op: Op) => void): OneShotControl {
  return new OneShotControl(service, {
    action: 'invoke',
    usage: 'Write the answer to question.json here, one JSON object; or null, which declines.',
    act: (written, op) => {
      check(op);
      const { asked } = job.questions;
      if (asked === null)
        throw new FsError('ESRCH', 'Nothing is asked any more.', { hint: 'See status.json beside it.' });
      asked.answer(answerFrom(written));
    },
  });
}

/** @throws FsError EINVAL */
function answerFrom(written: string): JsonObject | null {
  let answer: unknown;
  try {
    answer = JSON.parse(written);
  } catch (cause) {
    throw new FsError('EINVAL', 'The answer is not JSON.', { hint: HINT, cause });
  }
  if (answer === null || isJsonObject(answer)) return answer;
  throw new FsError('EINVAL', 'The answer is no JSON object.', { hint: HINT });
}

const HINT = 'Write it in one go: echo \'{"name": "value"}\' > answer.json';
