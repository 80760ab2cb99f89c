import { FsError } from '../../core/index.js';
import type { CancelSignal } from '../cancel.js';
import { payloadText, type Invocation, type Outcome } from '../contract.js';
import { callFacts } from '../native-proc/environment.js';
import { errorFromAbort, failure } from '../outcome.js';
import { reportProgress } from '../report-progress.js';
import type { DriverThread, FromWorker, ToWorker } from './messages.js';
import type { WorkerKind } from './worker-kind.js';

/** A thread that does not even hear that it should stop is stuck in a loop. */
const DEAF_MS = 50;

/** One call in one worker thread. */
export class WorkerCall {
  readonly #worker: DriverThread;
  readonly #call: Invocation;
  readonly #kind: WorkerKind;

  constructor(worker: DriverThread, call: Invocation, kind: WorkerKind) {
    this.#worker = worker;
    this.#call = call;
    this.#kind = kind;
  }

  /** `stop` aborts with what to answer; the thread cannot be used again unless `isReusable`. */
  run(stop: CancelSignal, configFile: string | null): Promise<{ outcome: Outcome; isReusable: boolean }> {
    const worker = this.#worker;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (outcome: Outcome, isReusable: boolean): void => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        stop.removeEventListener('abort', onStop);
        resolve(
          stop.aborted
            ? { outcome: failure(errorFromAbort(stop)), isReusable: false }
            : { outcome, isReusable },
        );
      };
      const giveUp = (): void => finish(failure(errorFromAbort(stop)), false);
      const onMessage = (message: FromWorker): void => {
        if (message.type === 'output') this.#call.onOutput(message.stream, message.chunk);
        else if (message.type === 'progress') reportProgress(this.#call, message.value);
        else if (message.type === 'stopping') {
          clearTimeout(timer);
          timer = setTimeout(giveUp, this.#kind.limits.killGraceMs);
        } else finish(this.#kind.outcome(message), true);
      };
      const onError = (error: Error): void => finish(failure(errorOfThread(error)), false);
      const onExit = (code: number): void =>
        finish(
          failure(
            new FsError('EIO', `The driver ended its thread with status ${code} and gave no answer.`),
            code,
          ),
          false,
        );
      const onStop = (): void => {
        if (!this.#kind.canStopItself) return giveUp();
        post(worker, { type: 'cancel' });
        timer = setTimeout(giveUp, DEAF_MS);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      stop.addEventListener('abort', onStop, { once: true });
      const { config } = this.#call;
      post(worker, {
        type: 'call',
        payload: payloadText(this.#call),
        facts: callFacts(this.#call, configFile),
        config,
      });
    });
  }
}

function post(worker: DriverThread, message: ToWorker): void {
  worker.postMessage(message);
}

function errorOfThread(error: Error): FsError {
  if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new FsError('EIO', 'The driver needs more memory than it may use.', {
      hint: 'Raise "memory_bytes" in the runtime of its manifest.',
      cause: error,
    });
  return new FsError('EIO', `The driver failed: ${error.message}`, { cause: error });
}
