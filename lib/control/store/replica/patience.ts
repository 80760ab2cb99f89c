import { within } from '../../../cluster/index.js';
import { FsError } from '../../../core/index.js';

export const notServing = (): FsError =>
  new FsError('EHOSTDOWN', 'This replica of the control plane has lost touch with its store.', {
    hint: 'Another replica may serve. This one goes on by itself once the store can be reached.',
  });

export const notTried = (): FsError =>
  new FsError('EHOSTDOWN', 'The store cannot be reached: the change was not made.', {
    hint: 'Reads go on for a moment. Try again once the store is back.',
  });

export function tooLate(cause?: unknown): FsError {
  return new FsError(
    'EHOSTDOWN',
    'The store did not take the change in time. It may have been made, or may yet be.',
    {
      hint: 'Look whether it was before you try again.',
      cause,
    },
  );
}

export const madeElsewhere = (cause: unknown): FsError =>
  new FsError('EHOSTDOWN', 'The change was made, but this replica of the control plane cannot take it in.', {
    hint: 'The others have it. Look at what this one logs: its disk may be full.',
    cause,
  });

export const wentAnotherWay = (appliedSeq: number): FsError =>
  new FsError(
    'EIO',
    `The log is no longer the one that this replica has applied up to entry ${appliedSeq}.`,
    {
      hint: 'PostgreSQL was restored to an earlier time, or a standby was promoted that lacked what was acknowledged. Start this control plane anew: it takes what there is.',
    },
  );

export const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** What `asked` answers, unless that is not before then. */
export const answeredBefore = <T>(asked: Promise<T>, untilMs: number): Promise<T> =>
  within(asked, Math.max(0, untilMs - performance.now()), tooLate);
