/**
 * The contract between a service and what runs it, and the runtimes that keep it. A driver knows
 * nothing of files, sessions or jobs; it gets one invocation and gives one outcome. Which calls run at
 * once is the admission queue's affair, which the service asks before it calls the driver.
 */
export * from './contract.js';
export { AheadStarts } from './ahead-starts.js';
export { Cancel, type CancelSignal } from './cancel.js';
export { CallSet } from './call-set.js';
export { createDriver } from './create-driver.js';
export type { DriverContext } from './driver-context.js';
export { AdmissionQueue, type QueueLimits, type Release } from './queue.js';
export { CallProcess, type RunEnd, type RunOptions } from './native-proc/call-process.js';
export { containDrivers, type NewPrivileges } from './native-proc/containment.js';
export { baseEnvironment, callEnvironment } from './native-proc/environment.js';
export { resolveExecutable } from './native-proc/executable.js';
export { endLeftovers } from './native-proc/end-leftovers.js';
export { outcomeFromRun } from './native-proc/outcome-from-run.js';
export { idsForService, type Ids } from './native-proc/ids.js';
export { idsOfUser } from './native-proc/passwd.js';
export type { Command } from './native-proc/command.js';
export { kernelLimits } from './native-proc/resource-limits.js';
export { FileLedger, type ProcessLedger } from './native-proc/process-ledger.js';
export { filesToRun, mustBeTrusted, type RunFile } from './run-files.js';
export { TrustCheck, type Distrust } from './trust.js';
export { checkArgument } from './native-proc/args.js';
export { addressRules, type AddressRules } from './http/addresses.js';
export { progressFrom, type Progress } from './progress.js';
export { driverClosed, errorFromAbort, failure, requestFailure } from './outcome.js';
