import type { JsonObject } from '../../lib/core/index.js';
import { addressRules, createDriver, type Driver } from '../../lib/drivers/index.js';
import { readManifest, type HttpRuntime, type RuntimeLimits } from '../../lib/manifest/index.js';
import { serviceId, testContext, type TestContext } from './drivers.js';

/** What a manifest with this `runtime` means. */
export function httpRuntime(
  runtime: JsonObject,
  limits: Partial<RuntimeLimits> = {},
  folder = '/tmp',
): HttpRuntime {
  const manifest = { service_id: 'probe', kind: 'test', runtime: { type: 'http', ...runtime } };
  const { definition, faults } = readManifest(JSON.stringify(manifest), {
    file: `${folder}/probe.json`,
    nodeId: 'n1',
  });
  if (definition?.runtime.type !== 'http') throw new Error(faults.map(({ message }) => message).join('\n'));
  return { ...definition.runtime, limits: { ...definition.runtime.limits, ...limits } };
}

/** A driver that may reach this machine, closed with the test. */
export function httpDriver(
  t: { teardown(callback: () => unknown): void },
  runtime: JsonObject,
  changes: { limits?: Partial<RuntimeLimits>; folder?: string; context?: Partial<TestContext> } = {},
): Driver {
  const context = { ...testContext(), addresses: addressRules(['loopback']), ...changes.context };
  const driver = createDriver(
    { serviceId, runtime: httpRuntime(runtime, changes.limits, changes.folder) },
    context,
  )!;
  t.teardown(async () => {
    await driver.close();
    context.remove();
  });
  return driver;
}
