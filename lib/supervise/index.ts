/**
 * Keeps a service healthy, or says that it is not: probes, the breaker that gives a failing service a
 * rest, and one assessment of all that is known of it. It knows drivers, and nothing of files or sessions.
 */
export { CLOSED, afterCall, atTime, type BreakerState, type CallVerdict } from './breaker.js';
export { assessHealth, type HealthFacts, type HealthState, type HealthAssessment } from './health.js';
export { DEFAULT_POLICY, documentFromPolicy, policyFromConfig, type SupervisionPolicy } from './policy.js';
export { reportAfter, type ProbeReport, type ProbeResult, type ProbeStatus } from './probe-report.js';
export {
  Supervisor,
  type EndCall,
  type Health,
  type HealthTransition,
  type SupervisorOptions,
  type SupervisorState,
} from './supervisor.js';
