import type { RuntimeLimits } from '../../manifest/index.js';
import type { Invocation, Outcome } from '../contract.js';
import type { DriverThread, FromWorker } from './messages.js';

/** What makes a runtime of worker threads: how to start one, and what its answer means. */
export interface WorkerKind {
  readonly file: string;
  readonly limits: RuntimeLimits;
  /** A thread that loads the driver and then posts `ready` or `fault`. @throws FsError when the file is no driver. */
  start(): Promise<DriverThread>;
  outcome(message: FromWorker): Outcome;
  /** Null where a thread can open no file. */
  readonly configs: HandedConfigs | null;
  /** False where code can only be stopped by ending its thread. */
  readonly canStopItself: boolean;
}

/** Gives threads the config of a call as a file. */
export interface HandedConfigs {
  hand(config: Invocation['config'], thread: DriverThread): HandedConfig;
  /** Keeps no file that no call has. */
  close(): void;
}

export interface HandedConfig {
  readonly path: string;
  close(): void;
}
