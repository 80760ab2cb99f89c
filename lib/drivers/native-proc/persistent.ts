import { FsError, type ServiceId } from '../../core/index.js';
import type { ProcessRuntime } from '../../manifest/index.js';
import { backoffMs } from '../backoff.js';
import { timeLeftMs, type Driver, type Invocation, type Outcome } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { FaultState } from '../fault-state.js';
import { driverClosed, errorFromAbort, excerpt, failure, timedOut, tooMuchOutput } from '../outcome.js';
import { startError } from './executable.js';
import { FrameProcess } from './frame-process.js';
import { cancelFrame, frameFromLine, requestFrame, type Frame } from './frames.js';
import { ConfigSlots } from './handed-file.js';
import { exitError } from './outcome-from-run.js';
import type { ProcessExit } from './process-group.js';
import { Program } from './program.js';
import { StderrShare } from './stderr-share.js';
import { reportProgress } from '../report-progress.js';
import { withStderrLimit } from '../stderr-limit.js';

/** A call under way: not sent yet, sent, or asked to stop and given the grace to say so. */
interface Pending {
  readonly call: Invocation;
  state: 'unsent' | 'sent' | 'stopping';
  /** What a call that was asked to stop is answered with. */
  stopError: FsError | null;
  finish(outcome: Outcome): void;
}

/** The process that serves, and where it finds the config of a call. */
interface Server {
  readonly process: FrameProcess;
  readonly configs: ConfigSlots;
}

/** What a line may have beyond the result that it brings. */
const FRAME_BYTES = 65_536;
/** It has lived so long: whatever was wrong seems to be over. */
const SETTLED_MS = 300;
/** It has lived so long, or answered: its end is no failed start. */
const LONG_LIFE_MS = 10_000;
const MAX_FAILED_STARTS = 5;
/** A call waits for a start that is at most so far off; else it is EIO at once. */
const WORTH_WAITING_MS = 1_000;
/** sysexits.h: a configuration error, which another start will not mend. */
const EX_CONFIG = 78;

/**
 * `native_proc` in mode `persistent`: one process serves all calls, as frames on its stdin and stdout. It
 * is started ahead of calls, and again when it ends, after a growing pause; a call that was sent to a process
 * that ends is EIO and is never sent again. Once its program was replaced, it finishes what it has begun, and the next call
 * starts the new one. A call that times out or is cancelled is stopped by a cancel
 * frame when the driver said `{"ready":{"cancel":true}}` and answers within the grace; otherwise the only
 * way to stop it is to end the process, and the other calls that it was serving are EIO.
 */
export class PersistentDriver implements Driver {
  readonly #program: Program;
  readonly #context: DriverContext;
  readonly #faults = new FaultState();
  readonly #pending = new Map<string, Pending>();
  readonly #stderr = new StderrShare();
  #server: Server | null = null;
  /** Why the process is being ended by us; its end is then no failure of the driver. */
  #endingFor: string | null = null;
  /** What the program looked like that it was started from. */
  #seen = '';
  /** The program was replaced: it gets no call any more, and ends when it has answered those it has. */
  #isOutdated = false;
  #canCancel = false;
  #failedStarts = 0;
  #hasStarted = false;
  #startedAt = 0;
  #hasAnswered = false;
  #nextStartAt: number | null = null;
  #callOffStart: (() => void) | undefined;
  #callOffSettled: (() => void) | undefined;
  #isClosed = false;
  #onIdle: (() => void)[] = [];

  constructor(serviceId: ServiceId, runtime: ProcessRuntime, context: DriverContext) {
    this.#context = context;
    this.#program = new Program(serviceId, runtime, context);
    this.#program.faults.on((fault) => {
      if (fault === null) this.#start();
      else if (this.#server === null) this.#giveUp(fault);
    });
    const fault = this.#program.faults.current;
    if (fault !== null) this.#giveUp(fault);
    else if (context.ahead === undefined) this.#start();
    else context.ahead.begin(() => this.#startFirst());
  }

  get fault(): FsError | null {
    return this.#faults.current;
  }

  onFault(listener: (fault: FsError | null) => void): () => void {
    return this.#faults.on(listener);
  }

  /** The process that serves at present, for tests and diagnosis. */
  get pid(): number | null {
    return this.#server?.process.pid ?? null;
  }

  invoke(call: Invocation): Promise<Outcome> {
    if (this.#isClosed) return Promise.resolve(failure(driverClosed()));
    if (call.signal.aborted) return Promise.resolve(failure(errorFromAbort(call.signal)));
    if (this.#server === null && this.#nextStartAt === null) this.#program.check();
    this.#startFirst();
    this.#lookForNewer();
    if (this.#server === null && !this.#isStartNear())
      return Promise.resolve(failure(this.#faults.current ?? driverClosed()));
    return new Promise((resolve) => {
      const { limits } = this.#program.runtime;
      const { clock } = this.#context;
      const timeoutMs = timeLeftMs(call, limits.timeoutMs, clock.now());
      const onAbort = (): void => this.#stopCall(pending, errorFromAbort(call.signal));
      const callOff = clock.after(timeoutMs, () => this.#stopCall(pending, timedOut(limits.timeoutMs)));
      const pending: Pending = {
        call: withStderrLimit(call, limits.maxOutputBytes),
        state: 'unsent',
        stopError: null,
        finish: (outcome) => {
          callOff();
          call.signal.removeEventListener('abort', onAbort);
          this.#pending.delete(call.id);
          if (pending.state !== 'unsent') this.#stderr.left(call);
          this.#endOutdated();
          resolve(pending.stopError === null ? outcome : failure(pending.stopError));
        },
      };
      call.signal.addEventListener('abort', onAbort, { once: true });
      this.#pending.set(call.id, pending);
      if (this.#server !== null && this.#endingFor === null && !this.#isOutdated)
        this.#send(pending, this.#server);
      this.#endOutdated();
    });
  }

  async restart(): Promise<void> {
    this.#failedStarts = 0;
    if (this.#server === null) {
      this.#program.started(null);
      this.#program.check();
      this.#start();
    } else this.#endProcess('restarted', true);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#program.close();
    this.#callOffStart?.();
    for (const pending of [...this.#pending.values()]) {
      pending.stopError ??= driverClosed();
      if (pending.state === 'unsent') pending.finish(failure(pending.stopError));
    }
    if (this.#server === null) return;
    const ended = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#endProcess('closed', this.#pending.size === 0);
    await ended;
  }

  /** Where it was held back until now. */
  #startFirst(): void {
    if (!this.#hasStarted && this.fault === null) this.#start();
  }

  #start(): void {
    if (this.#isClosed || this.#server !== null || this.#program.obstacleNow() !== null) return;
    this.#callOffStart?.();
    this.#nextStartAt = null;
    this.#endingFor = null;
    this.#isOutdated = false;
    this.#seen = this.#program.look();
    this.#canCancel = false;
    this.#hasAnswered = false;
    this.#hasStarted = true;
    this.#startedAt = this.#context.clock.now();
    this.#stderr.clear();
    const { runtime, env, ids } = this.#program;
    const configs = new ConfigSlots(ids);
    const process = new FrameProcess(
      { ...this.#program.command(runtime.args, env), handed: configs.handed },
      runtime.limits.maxOutputBytes + FRAME_BYTES,
      {
        onLine: (line) => this.#hear(line),
        onStderr: (chunk) => this.#stderr.take(chunk, this.#sentCalls()),
        onOverflow: () => this.#abandon(tooMuchOutput(runtime.limits.maxOutputBytes)),
        onEnd: (exit, error) => {
          configs.close();
          this.#ended(exit, error);
        },
      },
      this.#context,
    );
    const server = { process, configs };
    this.#server = server;
    this.#callOffSettled = this.#context.clock.after(SETTLED_MS, () => this.#settled());
    for (const pending of this.#pending.values()) this.#send(pending, server);
  }

  /** One that is not complete yet, or cannot be started, changes nothing. */
  #lookForNewer(): void {
    if (this.#server === null || this.#endingFor !== null || this.#program.look() === this.#seen) return;
    if (this.#program.obstacleNow() === null) this.#isOutdated = true;
  }

  #endOutdated(): void {
    if (!this.#isOutdated || this.#sentCalls().length > 0) return;
    this.#endProcess('replaced, as its program was', true);
  }

  /** It works: what went wrong before is over. */
  #settled(): void {
    this.#callOffSettled?.();
    if (this.#server?.process.pid === undefined) return;
    this.#program.started(null);
    this.#faults.set(null);
  }

  #send(pending: Pending, { process, configs }: Server): void {
    pending.state = 'sent';
    process.send(requestFrame(pending.call, configs.pathOf(pending.call.config)));
  }

  #sentCalls(): Invocation[] {
    return [...this.#pending.values()].filter((one) => one.state !== 'unsent').map((one) => one.call);
  }

  #hear(line: Buffer): void {
    const frame = frameFromLine(line);
    if (frame === null) {
      const message = `The driver printed ${excerpt(line)}, which is not a frame.`;
      const hint =
        'Print one {"id","result"} or {"id","error"} a line on stdout, and everything else on stderr.';
      return this.#abandon(new FsError('EIO', message, { hint }));
    }
    this.#hasAnswered = true;
    if (this.#faults.current !== null) this.#settled();
    if (frame.kind === 'ready') this.#canCancel = frame.canCancel;
    // A frame about a call that is no longer here (it was answered, or never was) means nothing.
    else this.#answer(frame, this.#pending.get(frame.id));
  }

  #answer(frame: Exclude<Frame, { kind: 'ready' }>, pending: Pending | undefined): void {
    if (pending === undefined || pending.state === 'unsent') return;
    const { maxOutputBytes } = this.#program.runtime.limits;
    switch (frame.kind) {
      case 'stderr':
        return pending.call.onOutput('stderr', Buffer.from(frame.text));
      case 'progress':
        return reportProgress(pending.call, frame.value);
      case 'error':
        return pending.finish(failure(new FsError('EIO', `The driver reports: ${frame.message}`)));
      case 'result':
        if (frame.result.length > maxOutputBytes)
          return pending.finish(failure(tooMuchOutput(maxOutputBytes)));
        return pending.finish({ ok: true, result: this.#wrapped(frame.result), exitCode: null });
    }
  }

  #wrapped(result: Buffer): Buffer {
    if (this.#program.runtime.output === 'json') return result;
    const value: unknown = JSON.parse(result.toString('utf8'));
    return Buffer.from(JSON.stringify({ text: typeof value === 'string' ? value : result.toString('utf8') }));
  }

  #stopCall(pending: Pending, error: FsError): void {
    if (pending.stopError !== null) return;
    pending.stopError = error;
    if (pending.state === 'unsent') return pending.finish(failure(error));
    pending.state = 'stopping';
    if (this.#endingFor !== null) return;
    const why = `ended to stop another call (${error.code})`;
    if (!this.#canCancel) return this.#endProcess(why);
    this.#server?.process.send(cancelFrame(pending.call.id));
    this.#context.clock.after(this.#program.runtime.limits.killGraceMs, () => {
      if (this.#pending.get(pending.call.id) === pending) this.#endProcess(why);
    });
  }

  /** Ends the process; `gently` lets it finish what it has begun. */
  #endProcess(why: string, gently = false): void {
    if (this.#server === null || this.#endingFor !== null) return;
    this.#endingFor = why;
    const { killGraceMs } = this.#program.runtime.limits;
    if (gently) this.#server.process.stop(killGraceMs);
    else this.#server.process.terminate(killGraceMs);
  }

  /** The process broke the protocol: it is killed, and all that it was serving fails with `error`. */
  #abandon(error: FsError): void {
    this.#endingFor = 'stopped, as it broke the protocol';
    for (const pending of [...this.#pending.values()]) pending.stopError ??= error;
    this.#server?.process.kill();
  }

  #ended(exit: ProcessExit | null, error: NodeJS.ErrnoException | null): void {
    const { clock } = this.#context;
    const hadStarted = this.#hasAnswered || clock.now() - this.#startedAt >= LONG_LIFE_MS;
    this.#callOffSettled?.();
    this.#server = null;
    const fault =
      exit === null
        ? startError(error, this.#program.file)
        : exitError(exit.code, exit.signal, this.#stderr.tail);
    const why = this.#endingFor === null ? fault.message : `The driver's process was ${this.#endingFor}.`;
    const lost = new FsError('EIO', `The driver ended while the call ran. ${why}`, {
      hint: 'The call may have had effects, so it was not run again.',
    });
    const isPlanned = this.#endingFor !== null;
    for (const pending of [...this.#pending.values()])
      if (pending.state !== 'unsent') pending.finish(failure(lost));
    for (const notify of this.#onIdle.splice(0)) notify();
    if (this.#isClosed) return;
    if (isPlanned) return this.#start();
    this.#context.log.warn('A persistent driver ended.', {
      service: this.#program.serviceId,
      why: fault.message,
    });
    this.#failedStarts = hadStarted ? 1 : this.#failedStarts + 1;
    if (exit === null) this.#program.started(fault);
    this.#startLater(fault, exit?.code === EX_CONFIG);
  }

  #startLater(fault: FsError, isFatal: boolean): void {
    if (isFatal || this.#failedStarts >= MAX_FAILED_STARTS) {
      const times = isFatal ? 'at its start' : `${this.#failedStarts} times in a row right after its start`;
      return this.#giveUp(
        new FsError('EIO', `The driver failed ${times} and is not started again. ${fault.message}`, {
          hint: 'Mend it, then write to control/restart.',
          cause: fault,
        }),
      );
    }
    const delayMs = backoffMs(this.#failedStarts);
    this.#faults.set(fault);
    this.#nextStartAt = this.#context.clock.now() + delayMs;
    this.#callOffStart = this.#context.clock.after(delayMs, () => this.#start());
    if (!this.#isStartNear()) this.#failUnsent(fault);
  }

  /** No start is planned: calls that wait for one fail with the reason. */
  #giveUp(fault: FsError): void {
    this.#nextStartAt = null;
    this.#faults.set(fault);
    this.#failUnsent(fault);
  }

  #failUnsent(fault: FsError): void {
    for (const pending of [...this.#pending.values()])
      if (pending.state === 'unsent') pending.finish(failure(fault));
  }

  #isStartNear(): boolean {
    return this.#nextStartAt !== null && this.#nextStartAt - this.#context.clock.now() <= WORTH_WAITING_MS;
  }
}
