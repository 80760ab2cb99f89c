import { Client, StreamableHTTPClientTransport, type ClientOptions } from '@modelcontextprotocol/client';
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

/** A client of `/mcp` of the control plane at `url`. */
export async function mcpByHttp(
  t: Teardown,
  era: Era,
  {
    url,
    token,
    query = '',
    headers = {},
  }: { url: string; token: string; query?: string; headers?: Record<string, string> },
  options: ClientOptions = {},
): Promise<Client> {
  const address = new URL(`${url.replace(/^ws/, 'http')}/mcp${query}`);
  const transport = new StreamableHTTPClientTransport(address, {
    requestInit: { headers: { authorization: `Bearer ${token}`, ...headers } },
  });
  const client = mcpClient(era, options);
  t.teardown(() => client.close());
  await client.connect(transport);
  return client;
}

/** Sends requests of the revision of 2026-07-28 as they are: the SDK's client does not yet take a task for an answer. */
export function rawDispatch(url: string, token: string) {
  let id = 0;
  return async (
    request: unknown,
  ): Promise<{ kind: 'result'; result: never } | { kind: 'error'; error: never }> => {
    const body = {
      jsonrpc: '2.0',
      id: ++id,
      ...(request as { method: string; params: Record<string, unknown> }),
    };
    const name = body.params.name ?? body.params.taskId;
    const response = await fetch(`${url.replace(/^ws/, 'http')}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': body.method,
        ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    const lines = text.split('\n').filter((line) => line.startsWith('data: '));
    const last = lines.length === 0 ? text : lines.at(-1)!.slice('data: '.length);
    const answer = JSON.parse(last) as { result: never; error?: never };
    return answer.error === undefined
      ? { kind: 'result', result: answer.result }
      : { kind: 'error', error: answer.error };
  };
}
