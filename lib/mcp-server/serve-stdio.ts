import type { McpServer } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Readable, Writable } from 'node:stream';
import type { McpSource } from './mcp-server.js';

/** A request is at most as large as what a service may take, and then some. */
const MAX_MESSAGE_BYTES = 10 * 1024 * 1024;

/** Serves one client on a pair of streams, until the client closes its end or `stopping` aborts. */
export async function serveMcpStdio(
  source: McpSource,
  { stdin, stdout, stopping }: { stdin: Readable; stdout: Writable; stopping: AbortSignal },
  onError: (error: Error) => void,
): Promise<void> {
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: MAX_MESSAGE_BYTES });
  const servers = new Set<McpServer>();
  const ended = new Promise<void>((resolve) => {
    stdin.once('end', resolve).once('close', resolve);
    stdout.once('error', () => resolve());
    stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  const handle = serveStdio(
    ({ era }) => {
      const server = source.serverFor({ era });
      servers.add(server);
      server.server.onclose = () => servers.delete(server);
      return server;
    },
    { transport, onerror: onError },
  );
  const stopListening = source.catalog.changed.on(() => {
    for (const server of servers) server.server.sendToolListChanged().catch(onError);
  });
  await ended;
  stopListening();
  await handle.close();
}
