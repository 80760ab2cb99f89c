/**
 * The contract between a service and what runs it, and the runtimes that keep it. A driver knows
 * nothing of files, sessions or jobs; it gets one invocation and gives one outcome.
 */
export * from './contract.js';
