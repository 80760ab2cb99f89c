import { FsError } from '../../core/index.js';

export function lostError(): FsError {
  return new FsError('EHOSTDOWN', 'The far side is not connected.', {
    hint: 'It is tried again by itself. What had begun there goes on; its outcome is found under jobs/.',
  });
}

export function lostWriterError(): FsError {
  return new FsError('EHOSTDOWN', 'The connection was lost while this file was open for writing.', {
    hint: 'Open it again. What was written may have been carried out: see jobs/.',
  });
}

/** For a caller that only wanted to read. */
export function silentError(): FsError {
  return new FsError('EHOSTDOWN', 'The far side does not answer.', {
    hint: 'It is tried again by itself once it answers again.',
  });
}

/** For a caller that invoked or changed something. */
export function unknownOutcomeError(): FsError {
  return new FsError('EHOSTDOWN', 'The far side does not answer: whether this was done there is not known.', {
    hint:
      'Look before you try again: once it is back, the outcome of a call is found under jobs/ of its service ' +
      '(jobs/by-key/KEY where the request had a _key).',
  });
}

export function cancelledError(isKnown: boolean): FsError {
  return isKnown
    ? new FsError('ECANCELED', 'The caller gave up.')
    : new FsError('ECANCELED', 'The caller gave up, and the far side has not said what came of it.', {
        hint: 'It was asked to cancel. The outcome of a call is found under jobs/ of its service.',
      });
}

export function moreThanAsked(): FsError {
  return new FsError('EIO', 'The far side answered with more content than it was asked for.');
}

/** For a session of a user, where the far side is a node that answers whoever asks. */
export function forAdminsError(): FsError {
  return new FsError(
    'EACCES',
    'This node cannot tell users from each other: what is live there is for admins.',
    {
      hint: 'What the catalog says of it, such as its README.md and SCHEMA.json, is there for you as well.',
    },
  );
}
