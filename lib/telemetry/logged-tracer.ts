import { randomBytes } from 'node:crypto';
import { callIdFrom, type Log, type Span, type Tracer } from '../core/index.js';

/**
 * Logs each call that passes through a tree, when it has, by the id that it has on all machines: the trace id of its traceparent, made
 * by the first that it passes. Spans go to `inner` too. What a node runs it logs itself.
 */
export function loggedTracer(log: Log, inner: Tracer | null): Tracer {
  return {
    begin: (name, kind, parent, facts) => {
      const span = inner?.begin(name, kind, parent, facts);
      const traceparent = span?.traceparent ?? childOf(parent);
      if (kind !== 'client') return span ?? { traceparent, end: () => undefined };
      const beganMs = performance.now();
      const end: Span['end'] = (error, more) => {
        span?.end(error, more);
        log.info('A call has passed through.', {
          call: callIdFrom(traceparent),
          what: name,
          ...(error === null ? {} : { errno: error.code }),
          ms: Math.round(performance.now() - beganMs),
        });
      };
      return { traceparent, end };
    },
  };
}

/** Of the same trace, or of a new one; nobody has it on record. */
function childOf(parent: string | null): string {
  const trace = parent === null ? randomBytes(16).toString('hex') : callIdFrom(parent);
  return `00-${trace}-${randomBytes(8).toString('hex')}-${parent?.slice(-2) ?? '00'}`;
}
