import t from 'tap';
import { addressRules, createDriver } from '../../lib/drivers/index.js';
import { serviceId } from '../support/drivers.js';
import { httpRuntime } from '../support/http-runtime.js';
import { httpServer, many } from '../support/http-server.js';
import { driverSuite } from '../suites/driver-suite.js';

const server = await httpServer(t, many);

t.test('http', async (t) =>
  driverSuite(
    t,
    (context, limits) =>
      createDriver(
        {
          serviceId,
          runtime: httpRuntime(
            {
              method: 'POST',
              url: `${server.origin}/`,
              body: { json: { request: '{payload}', call: '{call}' } },
            },
            limits,
          ),
        },
        Object.assign(context, { addresses: addressRules(['loopback']) }),
      )!,
    { exitStatus: false, printsResult: true, isolatesCalls: true, environment: false, saysAside: false },
  ),
);
