import { isJsonObject, type JsonObject } from '../core/index.js';
import { DEFAULT_LIMITS } from './definition.js';
import { isRunnable } from './runtime-from-manifest.js';

/** What `runtime` of a descriptor says, which may be of any node: whatever is malformed says nothing. */
function runtimeOf(descriptor: JsonObject): JsonObject {
  const runtime = descriptor['runtime'];
  return isJsonObject(runtime) ? runtime : {};
}

export function typeFromDescriptor(descriptor: JsonObject): string {
  const { type } = runtimeOf(descriptor);
  return typeof type === 'string' ? type : 'static';
}

/** Whether there is something to run: such a service has `control/`. */
export function isInvocable(descriptor: JsonObject): boolean {
  const runtime = runtimeOf(descriptor);
  const has = (name: string): boolean => typeof runtime[name] === 'string';
  switch (typeFromDescriptor(descriptor)) {
    case 'native_proc':
      return has('executable_path');
    case 'module':
    case 'wasm':
      return has('module_path');
    case 'mcp':
      return isJsonObject(runtime['offer']);
    case 'http':
      return has('url');
    case 'builtin': {
      const { capabilities } = descriptor;
      return isJsonObject(capabilities) && capabilities['invoke'] === true;
    }
    default:
      return false;
  }
}

/** Limits as HOST.json names them, defaults filled in. */
export function limitsFromDescriptor(descriptor: JsonObject): JsonObject {
  const runtime = runtimeOf(descriptor);
  const type = typeFromDescriptor(descriptor);
  const isRead = isRunnable(type) || type === 'builtin';
  const number = <Otherwise extends number | null>(
    name: string,
    otherwise: Otherwise,
  ): number | Otherwise => {
    const value = isRead ? runtime[name] : undefined;
    return typeof value === 'number' ? value : otherwise;
  };
  return {
    timeout_ms: number('timeout_ms', DEFAULT_LIMITS.timeoutMs),
    max_payload_bytes: number('max_payload_bytes', DEFAULT_LIMITS.maxPayloadBytes),
    max_output_bytes: number('max_output_bytes', DEFAULT_LIMITS.maxOutputBytes),
    max_concurrency: number('max_concurrency', DEFAULT_LIMITS.maxConcurrency),
    max_queue: number('max_queue', DEFAULT_LIMITS.maxQueue),
    kill_grace_ms: number('kill_grace_ms', DEFAULT_LIMITS.killGraceMs),
    memory_bytes:
      (type === 'wasm' ? number('max_memory_bytes', null) : null) ??
      number('memory_bytes', DEFAULT_LIMITS.memoryBytes),
    cpu_seconds: number('cpu_seconds', DEFAULT_LIMITS.cpuSeconds),
    open_files: number('open_files', DEFAULT_LIMITS.openFiles),
  };
}
