import { Worker } from 'node:worker_threads';
import { FsError, type ServiceId } from '../../core/index.js';
import type { ModuleRuntime } from '../../manifest/index.js';
import type { Invocation } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { baseEnvironment } from '../native-proc/environment.js';
import { HandedFile, configBytes } from '../native-proc/handed-file.js';
import { failure, tooMuchOutput } from '../outcome.js';
import { WorkerDriver, type HandedConfig } from '../worker/worker-driver.js';

const SCRIPT = new URL('./module-worker.js', import.meta.url);

/**
 * `module`: an ES module with `export async function invoke(payload, context)`, run in worker threads.
 * What it returns is the result (nothing means `{}`), what it throws is EIO. When `context.signal` aborts
 * it has `kill_grace_ms` to end; a thread that does not react is ended at once.
 */
export function moduleDriver(
  serviceId: ServiceId,
  runtime: ModuleRuntime,
  context: DriverContext,
): WorkerDriver {
  const { limits, modulePath } = runtime;
  const start = async (): Promise<Worker> => {
    const worker = new Worker(SCRIPT, {
      workerData: { modulePath },
      env: baseEnvironment(context.nodeId, serviceId, runtime.env, null),
      execArgv: [],
      stdout: true,
      stderr: true,
      ...(limits.memoryBytes === null
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: Math.max(8, limits.memoryBytes / 1_048_576) } }),
    });
    // What bypasses the streams of a call (a warning of Node's own) must not fill up unread.
    worker.stdout.resume();
    worker.stderr.resume();
    return worker;
  };
  return new WorkerDriver(
    serviceId,
    {
      file: modulePath,
      limits,
      canStopItself: true,
      handConfig: handToThread,
      start,
      outcome: (message) => {
        if (message.type === 'failed')
          return failure(new FsError('EIO', `The driver failed: ${message.message}`));
        if (message.type !== 'done') return failure(new FsError('EIO', 'The driver gave no answer.'));
        const result = Buffer.from(message.result as string);
        if (result.length > limits.maxOutputBytes) return failure(tooMuchOutput(limits.maxOutputBytes));
        return { ok: true, result, exitCode: null };
      },
    },
    context,
  );
}

/** By the name that it has for programs which the module starts, too. */
function handToThread(config: Invocation['config']): HandedConfig {
  const file = new HandedFile(null);
  file.write(configBytes(config));
  file.seal();
  return { path: `/proc/${process.pid}/fd/${file.fd}`, close: () => file.close() };
}
