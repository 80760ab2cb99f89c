import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FsError, type ServiceId } from '../../core/index.js';
import type { ModuleRuntime, RuntimeLimits } from '../../manifest/index.js';
import type { DriverContext } from '../driver-context.js';
import { baseEnvironment } from '../native-proc/environment.js';
import { idsForService, type Ids } from '../native-proc/ids.js';
import { failure, tooMuchOutput } from '../outcome.js';
import type { DriverThread } from '../worker/messages.js';
import { WorkerDriver } from '../worker/worker-driver.js';
import { ModuleConfigs } from './module-configs.js';
import { ModuleProcess } from './module-process.js';

const SCRIPT = new URL('./module-worker.js', import.meta.url);

/**
 * `module`: an ES module with `export async function invoke(payload, context)`, run in worker threads, or in
 * processes that serve as such where it has a user that is not the node's.
 * What it returns is the result (nothing means `{}`), what it throws is EIO. When `context.signal` aborts
 * it has `kill_grace_ms` to end; a thread that does not react is ended at once.
 */
export function moduleDriver(
  serviceId: ServiceId,
  runtime: ModuleRuntime,
  context: DriverContext,
): WorkerDriver {
  const { limits, modulePath } = runtime;
  const start = async (): Promise<DriverThread> => {
    const ids = idsForService(serviceId, limits.user, context.driverUser);
    const env = baseEnvironment(context.nodeId, serviceId, runtime.env, ids?.uid ?? null);
    return ids === null ? startThread(runtime, env) : startProcess(runtime, env, ids, context);
  };
  return new WorkerDriver(
    serviceId,
    {
      file: modulePath,
      limits,
      canStopItself: true,
      configs: new ModuleConfigs(),
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

function startThread(
  { limits, modulePath }: ModuleRuntime,
  env: Readonly<Record<string, string>>,
): DriverThread {
  const worker = new Worker(SCRIPT, {
    workerData: { modulePath },
    env,
    execArgv: [],
    stdout: true,
    stderr: true,
    ...(limits.memoryBytes === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMb(limits) } }),
  });
  // What bypasses the streams of a call (a warning of Node's own) must not fill up unread.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}

function startProcess(
  { limits, modulePath }: ModuleRuntime,
  env: Readonly<Record<string, string>>,
  ids: Ids,
  context: DriverContext,
): DriverThread {
  const options = limits.memoryBytes === null ? [] : [`--max-old-space-size=${Math.ceil(heapMb(limits))}`];
  const args = [...options, fileURLToPath(SCRIPT), modulePath];
  return new ModuleProcess({ file: process.execPath, args, cwd: '/', env, ids }, context);
}

function heapMb({ memoryBytes }: RuntimeLimits): number {
  return Math.max(8, (memoryBytes ?? 0) / 1_048_576);
}
