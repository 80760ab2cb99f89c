import type { Clock, JsonObject, Log, Tracer } from '../core/index.js';
import type { DiskReserve } from '../disk/index.js';
import type { Driver, DriverContext } from '../drivers/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import type { JobOwner } from './jobs/job.js';
import type { JobLimits } from './jobs/job-limits.js';
import type { HistorySource } from './tree/history-files.js';
import type { InputCheck } from './request/request.js';

/** What services need from the node that hosts them. */
export interface ServiceEnvironment {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly platform: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Each service keeps its jobs in a folder of its own below this one. */
  readonly jobsDir: string;
  readonly jobLimits: JobLimits;
  /** Flush results to the disk before the caller is answered. */
  readonly fsync: boolean;
  /** Where calls are on record as spans; null or absent: nowhere. */
  readonly tracer?: Tracer | null;
  /** Space for what must be written though the disk is full. */
  readonly reserve: DiskReserve;
  /** What drivers and probes need of the node. */
  readonly driverContext: DriverContext;
  createDriver(definition: ServiceDefinition): Driver | null;
  inputCheck(definition: ServiceDefinition): InputCheck;
  /** Saves the per-service state, durable when it returns. */
  saveState(): void;
  /** Something happened that watchers may want to know. */
  emit(event: ServiceEvent): void;
  /** Appends to the audit log. @throws FsError when it cannot: the act is then refused. */
  audit(record: AuditRecord): void;
  /** False where the audit log ends just before the end of this invocation: a kill came in between. */
  auditedEnd(invocationId: string, endedAtMs: number): boolean;
  /** Where the history of its services is recorded. */
  history(): HistorySource;
  /** The projects that name this node. */
  nodeProjects(): readonly string[];
}

export interface ServiceEvent {
  readonly type: 'service_health' | 'service_control' | 'invocation_finished';
  readonly serviceId: string;
  /** The principal that alone may see it; null for all who see the service. */
  readonly principal: string | null;
  readonly facts: JsonObject;
}

export interface AuditRecord {
  /** The caller; null: the node by itself. */
  readonly by: JobOwner | null;
  /** `invoke`, `control/enable`, …; what was denied: the action. */
  readonly act: string;
  readonly serviceId: string;
  /** `accepted` when an invocation begins, `ok` or an errno when it ends; `denied`. */
  readonly outcome: string;
  readonly payload?: Uint8Array;
  readonly facts?: JsonObject;
}
