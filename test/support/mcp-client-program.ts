/**
 * A client for the protocol's conformance suite to examine: the MCP driver, by the address that is the last argument. It
 * asks what is offered, and calls each tool once. Whatever a server asks meanwhile is answered, with nothing filled in.
 */
import { isJsonObject, type JsonObject } from '../../lib/core/index.js';
import { addressRules, createDriver } from '../../lib/drivers/index.js';
import type { McpDriver } from '../../lib/drivers/mcp/mcp-driver.js';
import type { McpRuntime, McpServerSettings } from '../../lib/manifest/index.js';
import { callOf, limits, resultOf, serviceId, testContext } from './drivers.js';
import { until } from './until.js';

const ARGUMENTS = new Map<unknown, JsonObject>([['add_numbers', { a: 2, b: 3 }]]);

const context = { ...testContext(), addresses: addressRules(['loopback']) };
const server: McpServerSettings = {
  ...{ serviceId, program: null, url: process.argv.at(-1) ?? '', headers: {}, env: {}, envFile: null },
  ...{ session: 'shared', elicitation: true, limits: limits() },
};
const driverFor = (offer: McpRuntime['offer']): McpDriver =>
  createDriver(
    { serviceId, runtime: { type: 'mcp', server, offer, tools: null, limits: limits(), probe: null } },
    context,
  ) as McpDriver;

const itself = driverFor(null);
const { lists } = itself.server;
await until(() => lists.current !== null, 'what the server offers');
const { tools } = lists.current ?? {};
for (const tool of Array.isArray(tools) ? tools : []) {
  const name = isJsonObject(tool) && typeof tool['name'] === 'string' ? tool['name'] : '';
  const driver = driverFor({ kind: 'tool', name });
  const call = { ...callOf(ARGUMENTS.get(name) ?? {}), onQuestion: () => Promise.resolve({}) };
  process.stdout.write(`${name}: ${JSON.stringify(resultOf(await driver.invoke(call)))}\n`);
  await driver.close();
}
await itself.close();
context.remove();
