import { FsError } from './fs-error.js';

/** A string that has been checked; the brand keeps one kind of id from standing where another is meant. */
type Branded<Name extends string> = string & { readonly __brand: Name };

export type NodeId = Branded<'NodeId'>;
export type ServiceId = Branded<'ServiceId'>;
export type InvocationId = Branded<'InvocationId'>;

/** What node, service, project, agent and export names and `_key`s look like. `.` and `..` are excluded apart. */
export const ID_PATTERN = /^[A-Za-z0-9._-]{1,128}$/;

export function isId(text: unknown): text is string {
  return typeof text === 'string' && ID_PATTERN.test(text) && text !== '.' && text !== '..';
}

/** @throws FsError EINVAL when `text` is not an id; `what` names it in the message. */
export function idFrom<Id extends string>(text: unknown, what: string): Id {
  if (isId(text)) return text as unknown as Id;
  throw new FsError('EINVAL', `${what} ${JSON.stringify(text)} is not a valid name.`, {
    hint: 'Use 1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..").',
  });
}
