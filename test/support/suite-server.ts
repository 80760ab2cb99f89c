import { fixture } from './drivers.js';
import { inOneFile } from './one-file.js';
import { temporaryDir, type Teardown } from './test-node.js';
import { until } from './until.js';
import type { PlaneWithNode } from './plane-with-node.js';
import type { JsonObject } from '../../lib/core/index.js';
import { toolName } from '../../lib/mcp-server/tool-name.js';

/** A manifest of an MCP server whose tools answer with all kinds of content, and ask. */
export async function suiteServer(t: Teardown): Promise<JsonObject> {
  const program = await inOneFile(t, fixture('suite-mcp.mjs'), temporaryDir(t));
  return {
    service_id: 'suite',
    kind: 'mcp',
    permissions: { allow_roles: ['admin', 'user'] },
    runtime: {
      type: 'mcp',
      command: process.execPath,
      args: [program],
      elicitation: true,
      max_output_bytes: 16_777_216,
    },
  };
}

/** How `/mcp` names a tool of that server. */
export const suiteTool = (name: string): string => toolName('n1', `suite.${name}`);

/** The tools are there once the server has been asked for them. */
export async function suiteIsThere({ plane }: PlaneWithNode): Promise<void> {
  const { nodes } = plane.control.store;
  await until(() => nodes.get('n1')?.services.has('suite.test_simple_text') === true, 'its tools');
}
