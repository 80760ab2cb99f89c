import t from 'tap';
import { createDriver } from '../../lib/drivers/index.js';
import { processRuntime, serviceId } from '../support/drivers.js';
import { driverSuite } from '../suites/driver-suite.js';

t.test('native_proc in mode oneshot', async (t) =>
  driverSuite(
    t,
    (context, limits) =>
      createDriver(
        { serviceId, runtime: processRuntime({ limits, env: { SET: 'by the manifest' } }) },
        context,
      )!,
    { exitStatus: true, printsResult: true, isolatesCalls: true, environment: true },
  ),
);
