import type { ServiceId, Span } from '../core/index.js';
import type { Session } from '../policy/index.js';
import type { ServiceEnvironment } from './environment.js';
import type { Job } from './jobs/job.js';

/** The span of a call, from when it is accepted on; undefined where calls are not traced. */
export function callSpan(
  { id, env }: { readonly id: ServiceId; readonly env: ServiceEnvironment },
  job: Job,
  session: Session,
  cause: string | null,
): Span | undefined {
  return env.tracer?.begin(`invoke ${id}`, 'server', cause, {
    'acheron.node': env.nodeId,
    'acheron.service': id,
    'acheron.invocation': job.id,
    'acheron.role': session.role,
  });
}
