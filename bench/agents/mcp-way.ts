import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Way } from './way.js';

/** An agent with `acheron mcp`. */
export async function mcpWay(name: string, command: string, args: readonly string[]): Promise<Way> {
  const client = new Client(
    { name: 'acheron-bench', version: '0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(new StdioClientTransport({ command, args: [...args], stderr: 'inherit' }));
  const { tools } = await client.listTools();
  return {
    name,
    resident: `${client.getInstructions() ?? ''}\n${JSON.stringify(tools)}`,
    tools: tools.map(({ name, description, inputSchema }) => ({
      name,
      description,
      parameters: inputSchema,
    })),
    use: async (tool, args) => {
      try {
        const { content } = await client.callTool({ name: tool, arguments: args });
        return content.map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join('\n');
      } catch (thrown) {
        return (thrown as Error).message;
      }
    },
    close: () => client.close(),
  };
}
