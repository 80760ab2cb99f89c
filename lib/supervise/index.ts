/**
 * Keeps a service healthy, or says that it is not: probes, the breaker that gives a failing service a
 * rest, and one assessment of all that is known of it. It knows drivers, and nothing of files or sessions.
 */
export { CLOSED, type BreakerState, type CallVerdict } from './breaker.js';
export type { HealthFacts, HealthState, HealthAssessment } from './health.js';
export { documentFromPolicy, policyFromConfig, type SupervisionPolicy } from './policy.js';
export type { ProbeReport, ProbeResult, ProbeStatus } from './probe-report.js';
export {
  Supervisor,
  type EndCall,
  type Health,
  type HealthTransition,
  type SupervisorOptions,
  type SupervisorState,
} from './supervisor.js';
