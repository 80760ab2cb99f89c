import type { FsError } from './fs-error.js';

/** Facts about a span: names and small values, never a payload or a secret. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>;

/** Something that takes time, on record as a part of what caused it. */
export interface Span {
  /** By which what it causes names it: the `traceparent` of W3C Trace Context. */
  readonly traceparent: string;
  /** It is over; what is said after that is lost. */
  end(error: FsError | null, facts?: SpanFacts): void;
}

/** Where spans are begun. Composition roots decide where they go; without one nothing is recorded. */
export interface Tracer {
  /** `parent`: the traceparent of what causes it; null where nothing is known of that. */
  begin(name: string, kind: 'server' | 'client' | 'internal', parent: string | null, facts: SpanFacts): Span;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `value` where it is a traceparent (version 00); null for anything else, which W3C says to pass over. */
export function traceparentFrom(value: unknown): string | null {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : null;
}

/** The part of a traceparent that is the same on all machines that a call passes. */
export const callIdFrom = (traceparent: string): string => traceparent.slice(3, 35);
