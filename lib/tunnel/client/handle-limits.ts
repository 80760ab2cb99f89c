/** What is asked of an open descriptor. */
export type HandleRequest =
  'read' | 'write' | 'getattr' | 'setattr' | 'flush' | 'fsync' | 'seek' | 'allocate' | 'await';

/** A peer that gives less than it is asked for is asked so many times; the reader comes for the remainder. */
export const MAX_TURNS = 64;
export const EMPTY = new Uint8Array(0);
/** What came with the open, first bytes and attributes, is good for this long. */
export const OPENED_MS = 1000;

/** Whoever writes no more than this to a file that was just opened may well be done, and is looked at next. */
export const LOOKED_AT_BYTES = 32 * 1024;

/** On the way through a control plane, less than this is not worth an answer of its own before the node's. */
export const WORTH_RUNNING_AHEAD_BYTES = 32 * 1024;
