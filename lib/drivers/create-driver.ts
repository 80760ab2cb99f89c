import type { ServiceDefinition } from '../manifest/index.js';
import type { Driver } from './contract.js';
import type { DriverContext } from './driver-context.js';
import { OneshotDriver } from './native-proc/oneshot.js';

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
  switch (runtime.type) {
    case 'native_proc':
      return new OneshotDriver(serviceId, runtime, context);
    default:
      return null;
  }
}
