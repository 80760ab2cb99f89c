import type { ServiceDefinition } from '../manifest/index.js';
import type { Driver } from './contract.js';
import type { DriverContext } from './driver-context.js';
import { McpDriver } from './mcp/mcp-driver.js';
import { HttpDriver } from './http/http-driver.js';
import { moduleDriver } from './module/module-driver.js';
import { OneshotDriver } from './native-proc/oneshot.js';
import { PersistentDriver } from './native-proc/persistent.js';
import { WarmDriver } from './native-proc/warm.js';
import { wasmDriver } from './wasm/wasm-driver.js';

/**
 * The driver that runs a service; null where there is nothing to run: `static`, a type this program does
 * not know, and `builtin`, whose driver the composition root hands over. Never throws: what is wrong with
 * a driver is its `fault`.
 */
export function createDriver(
  definition: Pick<ServiceDefinition, 'serviceId' | 'runtime'>,
  context: DriverContext,
): Driver | null {
  const { serviceId, runtime } = definition;
  if (runtime.type === 'module') return moduleDriver(serviceId, runtime, context);
  if (runtime.type === 'wasm') return wasmDriver(serviceId, runtime, context);
  if (runtime.type === 'mcp') return new McpDriver(runtime, context);
  if (runtime.type === 'http') return new HttpDriver(runtime, context);
  if (runtime.type !== 'native_proc') return null;
  switch (runtime.mode) {
    case 'oneshot':
      return new OneshotDriver(serviceId, runtime, context);
    case 'warm':
      return new WarmDriver(serviceId, runtime, context);
    case 'persistent':
      return new PersistentDriver(serviceId, runtime, context);
  }
}
