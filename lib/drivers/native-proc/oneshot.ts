import type { FsError } from '../../core/index.js';
import type { ServiceId } from '../../core/index.js';
import type { ProcessRuntime } from '../../manifest/index.js';
import type { CancelSignal } from '../cancel.js';
import { timeLeftMs, type Driver, type Invocation, type Outcome } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { driverClosed, errorFromAbort, failure, requestFailure } from '../outcome.js';
import { argsFromPayload, hasPlaceholders } from './args.js';
import { CallProcess, type RunOptions } from './call-process.js';
import { callEnvironment } from './environment.js';
import { CONFIG_FD, HandedFile, configBytes, pathOfDescriptor } from './handed-file.js';
import { isLasting, startError } from './executable.js';
import { outcomeFromRun } from './outcome-from-run.js';
import { Program } from './program.js';
import { CallSet } from '../call-set.js';

/** `native_proc` in mode `oneshot`: a process for each call. */
export class OneshotDriver implements Driver {
  protected readonly program: Program;
  protected readonly context: DriverContext;
  protected readonly calls = new CallSet();

  constructor(serviceId: ServiceId, runtime: ProcessRuntime, context: DriverContext) {
    this.context = context;
    this.program = new Program(serviceId, runtime, context);
  }

  get fault(): FsError | null {
    return this.program.faults.current;
  }

  onFault(listener: (fault: FsError | null) => void): () => void {
    return this.program.faults.on(listener);
  }

  invoke(call: Invocation): Promise<Outcome> {
    if (this.calls.isClosed) return Promise.resolve(failure(driverClosed()));
    if (call.signal.aborted) return Promise.resolve(failure(errorFromAbort(call.signal)));
    if (this.fault !== null) this.program.check();
    const { obstacle } = this.program;
    if (obstacle !== null) return Promise.resolve(failure(obstacle));
    return this.calls.track(call.signal, (stop) => this.run(call, stop));
  }

  async restart(): Promise<void> {
    this.program.started(null);
    this.program.check();
  }

  async close(): Promise<void> {
    this.program.close();
    await this.calls.close();
  }

  protected async run(call: Invocation, signal: CancelSignal): Promise<Outcome> {
    const { runtime } = this.program;
    const obstacle = this.program.obstacleNow();
    if (obstacle !== null) return failure(obstacle);
    let args: readonly string[];
    try {
      args = argsFromPayload(runtime.args, call.payload, runtime.allowDash);
    } catch (thrown) {
      return requestFailure(thrown);
    }
    const config = new HandedFile(this.program.ids);
    let process: CallProcess;
    try {
      config.write(configBytes(call.config));
      config.seal();
      const facts = callEnvironment(call, pathOfDescriptor(CONFIG_FD));
      const command = this.program.command(args, { ...this.program.env, ...facts });
      process = new CallProcess({ ...command, handed: [[CONFIG_FD, config.fd]] }, this.context);
    } finally {
      config.close();
    }
    return this.finish(process, call, signal);
  }

  /** Gives `process` the call and waits for its outcome. */
  protected async finish(process: CallProcess, call: Invocation, signal: CancelSignal): Promise<Outcome> {
    const { runtime } = this.program;
    const options = this.options(call, signal);
    const end = await process.run(options);
    if (end.how === 'failed') {
      const error = startError(end.error, this.program.file);
      if (error.code === 'E2BIG' && hasPlaceholders(runtime.args)) return requestFailure(error);
      if (isLasting(end.error)) this.program.started(error);
      return failure(error);
    }
    this.program.started(null);
    return outcomeFromRun(end, options, runtime.output);
  }

  protected options(call: Invocation, signal: CancelSignal): RunOptions {
    const { limits } = this.program.runtime;
    return {
      stdin: call.payload,
      timeoutMs: timeLeftMs(call, limits.timeoutMs, this.context.clock.now()),
      limitMs: limits.timeoutMs,
      killGraceMs: limits.killGraceMs,
      maxOutputBytes: limits.maxOutputBytes,
      signal,
      onOutput: call.onOutput,
      onProgress: call.onProgress,
    };
  }
}
