import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FsError, type ServiceId } from '../../core/index.js';
import type { WasmRuntime } from '../../manifest/index.js';
import type { DriverContext } from '../driver-context.js';
import { exitError } from '../native-proc/outcome-from-run.js';
import { failure, outcomeFromOutput, tooMuchOutput } from '../outcome.js';
import { WorkerDriver } from '../worker/worker-driver.js';
import { WasmCompiler } from './compile-wasm.js';
import type { WasmWorkerData } from './wasm-worker.js';

const SCRIPT = new URL('./wasm-worker.js', import.meta.url);

/**
 * `wasm`: a WASI preview 1 module, run in worker threads: request on stdin, result on stdout, exit status
 * 0 for success, a fresh instance for each call. It sees no files and no environment but the manifest's
 * and the call's; its memory cannot grow beyond `max_memory_bytes`. A trap is EIO with its message.
 */
export function wasmDriver(serviceId: ServiceId, runtime: WasmRuntime, context: DriverContext): WorkerDriver {
  const { limits, modulePath, entrypoint, output } = runtime;
  const compiler = new WasmCompiler(runtime);
  const start = async (): Promise<Worker> => {
    const data: WasmWorkerData = {
      module: await compiler.compiled(),
      entrypoint,
      args: [basename(modulePath), ...runtime.args],
      env: Object.entries(runtime.env).map(([name, value]) => `${name}=${value}`),
      maxOutputBytes: limits.maxOutputBytes,
    };
    const options = { workerData: data, env: {}, execArgv: [], stdout: true, stderr: true };
    const worker = new Worker(SCRIPT, options);
    worker.stdout.resume();
    worker.stderr.resume();
    return worker;
  };
  return new WorkerDriver(
    serviceId,
    {
      file: modulePath,
      limits,
      canStopItself: false,
      configs: null,
      start,
      outcome: (message) => {
        switch (message.type) {
          case 'done':
            return outcomeFromOutput(message.result as Uint8Array, output, 0);
          case 'exited':
            return failure(exitError(message.status, null, message.stderrTail), message.status);
          case 'too-much-output':
            return failure(tooMuchOutput(limits.maxOutputBytes));
          case 'failed':
            return failure(new FsError('EIO', `The WebAssembly module trapped: ${message.message}`));
          default:
            return failure(new FsError('EIO', 'The driver gave no answer.'));
        }
      },
    },
    context,
  );
}
