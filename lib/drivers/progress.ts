import { isJsonObject } from '../core/index.js';

/** How far a call is, as its driver says it. */
export interface Progress {
  /** In units of the driver's own; 0 at the least. */
  readonly done: number;
  /** In the same units, above 0; null where it is not known. */
  readonly total: number | null;
  /** One line for people. */
  readonly message: string | null;
}

/** How much of a message is kept, in characters. */
const MAX_MESSAGE = 200;
/** C0 and C1 controls, line separators, and what turns the direction of text around. */
// eslint-disable-next-line no-control-regex -- to take them out is the point
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** What a driver gave as its progress, checked and cut; null where it is none. */
export function progressFrom(value: unknown): Progress | null {
  if (!isJsonObject(value)) return null;
  const { done, total = null, message = null } = value;
  if (typeof done !== 'number' || !Number.isFinite(done) || done < 0) return null;
  if (total !== null && !(typeof total === 'number' && Number.isFinite(total) && total > 0)) return null;
  if (message !== null && typeof message !== 'string') return null;
  return { done, total, message: message === null ? null : onOneLine(message) };
}

function onOneLine(message: string): string {
  // A long text is cut first: no more of it is looked at than may be kept.
  const start = message
    .slice(0, MAX_MESSAGE * 4)
    .replace(CONTROLS, ' ')
    .trim();
  const characters = Array.from(start);
  return characters.length <= MAX_MESSAGE ? start : `${characters.slice(0, MAX_MESSAGE - 1).join('')}…`;
}
