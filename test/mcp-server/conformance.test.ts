import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { lacksConformance, runConformance } from '../support/conformance.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest, type Teardown } from '../support/test-node.js';

const top = join(import.meta.dirname, '../../..');
/** What the suite's scenarios call; it knows them without the name of a node. */
const TOOLS = [
  shellManifest('test_error_handling', 'exit 1'),
  shellManifest('test_tool_with_logging', 'for i in 1 2 3; do echo "step $i" >&2; done; echo "{}"'),
  shellManifest(
    'test_tool_with_progress',
    `for i in 0 50 100; do printf '::progress {"done": %s, "total": 100}\\n' $i >&2; sleep 0.3; done; echo '{}'`,
  ),
];

/** Adds the token, for which the suite has no option, and the name of the node before the names of tools. */
async function withToken(t: Teardown, target: URL, token: string): Promise<string> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString().replaceAll('"name":"test_', '"name":"n1__test_');
      const { 'content-length': _length, ...headers } = request.headers;
      const passed = httpRequest(
        target,
        {
          method: request.method,
          headers: {
            ...headers,
            authorization: `Bearer ${token}`,
            ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }),
          },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      passed.on('error', () => response.destroy());
      response.on('close', () => passed.destroy());
      passed.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

t.test(
  "/mcp passes the protocol's conformance suite, but for what it says",
  { skip: lacksConformance },
  async (t) => {
    const under = await PlaneWithNode.start(t, 'here', TOOLS);
    const url = await withToken(
      t,
      new URL(`${under.plane.url.replace(/^ws/, 'http')}/mcp`),
      under.token('user'),
    );
    const expected = join(top, 'test/mcp-server/conformance.yml');
    const { status, said } = await runConformance(t, [
      ...['server', '--url', url, '--suite', 'all', '--expected-failures', expected],
    ]);
    t.equal(status, 0, said.slice(-4000));
  },
);
