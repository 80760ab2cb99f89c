import { Client, type ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { PROGRAM } from './acheron.js';
import { cleanEnvironment } from './mount-child.js';
import type { Teardown } from './test-node.js';

/** The two generations of the protocol: the revision of 2026-07-28, and those before. */
export const ERAS = ['modern', 'legacy'] as const;
export type Era = (typeof ERAS)[number];

/** A client that speaks one generation alone. */
export function mcpClient(era: Era, options: ClientOptions = {}): Client {
  return new Client(
    { name: 'acheron-test', version: '0' },
    {
      ...options,
      versionNegotiation: { mode: era === 'legacy' ? 'legacy' : { pin: '2026-07-28' } },
    },
  );
}

/** `acheron mcp` with these arguments, and a client that speaks to it. */
export async function mcpByStdio(
  t: Teardown,
  era: Era,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<{ client: Client; transport: StdioClientTransport }> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PROGRAM, 'mcp', ...args],
    env: cleanEnvironment() as Record<string, string>,
    stderr: 'inherit',
  });
  const client = mcpClient(era, options);
  t.teardown(() => client.close());
  await client.connect(transport);
  return { client, transport };
}
