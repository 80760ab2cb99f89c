import { FsError, type ServiceId } from '../../core/index.js';
import type { Cancel } from '../cancel.js';
import { CallSet } from '../call-set.js';
import { timeLeftMs, type Driver, type Invocation, type Outcome } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { FaultState } from '../fault-state.js';
import { fingerprint } from '../native-proc/executable.js';
import { driverClosed, errorFromAbort, failure, timedOut } from '../outcome.js';
import { mustBeTrusted } from '../run-files.js';
import { withStderrLimit } from '../stderr-limit.js';
import type { DriverThread, FromWorker } from './messages.js';
import { ThreadPool, type Slot } from './thread-pool.js';
import { WorkerCall } from './worker-call.js';
import type { HandedConfig, WorkerKind } from './worker-kind.js';

const RECHECK_FAULTY_MS = 500;

/**
 * Runs calls in worker threads: each has a thread to itself, and finds one already loaded where it can.
 * A call that has to be stopped ends with its thread. A thread that loaded an earlier state of the file
 * is not used.
 */
export class WorkerDriver implements Driver {
  readonly #kind: WorkerKind;
  readonly #context: DriverContext;
  readonly #faults = new FaultState();
  readonly #calls = new CallSet();
  readonly #pool: ThreadPool;
  readonly #loading = new Set<DriverThread>();
  readonly #loads = new Set<Promise<unknown>>();
  readonly #ending = new Set<Promise<unknown>>();
  #seenFaulty: string | null = null;
  #hasLoaded = false;
  #callOff: (() => void) | undefined;

  constructor(serviceId: ServiceId, kind: WorkerKind, context: DriverContext) {
    this.#kind = kind;
    this.#context = context;
    const threads = {
      seen: () => fingerprint(kind.file),
      load: (seen: string) => this.#load(seen),
      end: (slot: Slot) => this.#end(slot),
    };
    this.#pool = new ThreadPool(threads, context.clock);
    if (fingerprint(kind.file) === '') this.#setFault(missing(kind.file), '');
    else if (context.ahead === undefined) void this.#pool.load();
    else context.ahead.begin(() => this.#loadFirst());
    context.log.debug('A driver runs in worker threads.', { service: serviceId });
  }

  get fault(): FsError | null {
    return this.#faults.current;
  }

  onFault(listener: (fault: FsError | null) => void): () => void {
    return this.#faults.on(listener);
  }

  invoke(call: Invocation): Promise<Outcome> {
    if (this.#calls.isClosed) return Promise.resolve(failure(driverClosed()));
    if (call.signal.aborted) return Promise.resolve(failure(errorFromAbort(call.signal)));
    return this.#calls.track(call.signal, (stop) => this.#run(call, stop));
  }

  async restart(): Promise<void> {
    this.#seenFaulty = null;
    this.#pool.dropIdle();
    await this.#pool.load();
  }

  async close(): Promise<void> {
    this.#callOff?.();
    await this.#calls.close();
    this.#pool.close();
    for (const worker of this.#loading) void worker.terminate();
    await Promise.all(this.#loads);
    await Promise.all(this.#ending);
    this.#kind.configs?.close();
  }

  async #run(call: Invocation, stop: Cancel): Promise<Outcome> {
    const { limits } = this.#kind;
    const { clock } = this.#context;
    const timeoutMs = timeLeftMs(call, limits.timeoutMs, clock.now());
    let config: HandedConfig | undefined;
    const callOff = clock.after(timeoutMs, () => stop.abort(timedOut(limits.timeoutMs)));
    try {
      const acquired = this.#pool.acquire(stop);
      const slot = acquired instanceof Promise ? await acquired : acquired;
      if (slot === null || stop.aborted) {
        if (slot !== null) this.#pool.release(slot);
        return failure(errorFromAbort(stop));
      }
      config = this.#kind.configs?.hand(call.config, slot.worker);
      const running = new WorkerCall(slot.worker, withStderrLimit(call, limits.maxOutputBytes), this.#kind);
      const { outcome, isReusable } = await running.run(stop, config?.path ?? null);
      if (isReusable) this.#pool.release(slot);
      else {
        this.#pool.drop(slot);
        await Promise.all(this.#ending);
      }
      return outcome;
    } catch (thrown) {
      return failure(FsError.from(thrown));
    } finally {
      callOff();
      config?.close();
    }
  }

  /** @throws FsError with the reason, which is then also the fault. */
  #load(seen: string): Promise<Slot> {
    const loading = this.#loadThread(seen);
    const over = loading.then(nothing, nothing).finally(() => this.#loads.delete(over));
    this.#loads.add(over);
    return loading;
  }

  async #loadThread(seen: string): Promise<Slot> {
    if (this.fault !== null && this.#seenFaulty === seen) throw this.fault;
    try {
      this.#hasLoaded = true;
      if (seen === '') throw missing(this.#kind.file);
      if (this.#context.refusesWritable === true) mustBeTrusted([this.#kind.file]);
      const worker = await this.#kind.start();
      if (this.#calls.isClosed) void worker.terminate();
      const slot = { worker, seen };
      worker.unref();
      // An idle thread may end (its module called process.exit, or threw later on): it is not used again.
      worker.on('error', () => undefined);
      worker.once('exit', () => this.#pool.gone(slot));
      this.#loading.add(worker);
      await loaded(worker, this.#kind.file).finally(() => this.#loading.delete(worker));
      this.#seenFaulty = null;
      this.#faults.set(null);
      return slot;
    } catch (thrown) {
      const fault = FsError.from(thrown);
      if (!this.#calls.isClosed) this.#setFault(fault, seen);
      throw fault;
    }
  }

  /** Unless it was closed, or a call has loaded one, or failed to. */
  #loadFirst(): void {
    if (!this.#calls.isClosed && this.#seenFaulty === null && !this.#hasLoaded) void this.#pool.load();
  }

  #setFault(fault: FsError, seen: string): void {
    this.#seenFaulty = seen;
    this.#faults.set(fault);
    this.#callOff?.();
    this.#callOff = this.#context.clock.after(RECHECK_FAULTY_MS, () => {
      if (this.#calls.isClosed || this.fault === null) return;
      if (fingerprint(this.#kind.file) === this.#seenFaulty) this.#setFault(this.fault, this.#seenFaulty);
      else void this.#pool.load();
    });
  }

  #end(slot: Slot): void {
    const ending = slot.worker.terminate().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

const nothing = (): void => undefined;

function missing(file: string): FsError {
  return new FsError('EIO', `The driver ${file} does not exist.`, {
    hint: 'Put it there, or correct "module_path" in the manifest.',
  });
}

/** Resolves when the thread has loaded its driver. @throws FsError EIO with the reason when it cannot. */
function loaded(worker: DriverThread, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (why: string | null): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      if (why === null) return resolve();
      void worker.terminate();
      const hint = 'Mend the module; it is looked at again when the file changes.';
      reject(new FsError('EIO', `The driver ${file} cannot be loaded: ${why}`, { hint }));
    };
    const onMessage = (message: FromWorker): void => {
      if (message.type === 'ready') done(null);
      else done(message.type === 'fault' ? message.message : 'it answered before it was asked.');
    };
    const onError = (error: Error): void => done(error.message);
    const onExit = (code: number): void => done(`its thread ended with ${code}.`);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}
