import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { Server, createMcpHandler, isInitializeRequest } from '@modelcontextprotocol/server';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { addressRules, createDriver, type DriverContext } from '../../lib/drivers/index.js';
import type { McpDriver } from '../../lib/drivers/mcp/mcp-driver.js';
import type { McpServerSettings } from '../../lib/manifest/index.js';
import { callOf, limits, resultOf, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { failsWith } from '../suites/driver-suite.js';

const TOKEN = 'not-to-be-seen';
/** What the last request of a call had as `_meta`. */
let lastMeta: unknown;

/* eslint-disable @typescript-eslint/no-deprecated -- the API below the other one, in which a tool takes anything */
function make(): Server {
  const server = new Server({ name: 'http', version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler('tools/list', () => ({
    tools: [{ name: 'act', inputSchema: { type: 'object' } }],
  }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const args = (params.arguments ?? {}) as Record<string, unknown>;
    lastMeta = mcpReq._meta;
    if (args['do'] === 'flood')
      return { content: [{ type: 'text', text: 'x'.repeat(args['bytes'] as number) }] };
    if (args['do'] === 'hang')
      await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve));
    return { content: [], structuredContent: args };
  });
  return server;
}

/* eslint-enable @typescript-eslint/no-deprecated */

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A server with a session for each client, as those before 2026-07-28 are. */
function withSessions(): Handler {
  const transports = new Map<string, NodeStreamableHTTPServerTransport>();
  return async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message: unknown = body === '' ? undefined : JSON.parse(body);
    let transport = transports.get(String(request.headers['mcp-session-id']));
    if (transport === undefined) {
      if (!isInitializeRequest(message)) return response.writeHead(400).end();
      const made = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => void transports.set(id, made),
      });
      transport = made;
      await make().connect(transport);
    }
    return transport.handleRequest(request, response, message);
  };
}

/** Serves where the token is given; answers with the address. */
async function serve(t: Test, handler: Handler, port = 0): Promise<{ url: string; server: HttpServer }> {
  const server = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(401).end();
    return handler(request, response);
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, server };
}

function driverAt(
  t: Test,
  url: string,
  changes: Partial<McpServerSettings> = {},
  timeoutMs = 20_000,
  around: Partial<DriverContext> = { addresses: addressRules(['loopback']) },
): McpDriver {
  const context = { ...testContext(), ...around };
  const bounds = limits({ timeoutMs, maxOutputBytes: 200_000 });
  const server: McpServerSettings = {
    ...{ serviceId, program: null, url, headers: { Authorization: 'Bearer {env.TOKEN}' }, env: { TOKEN } },
    ...{ envFile: null, session: 'shared', elicitation: false, limits: bounds },
    ...changes,
  };
  const offer = { kind: 'tool', name: 'act' } as const;
  const runtime = { type: 'mcp', server, offer, tools: null, limits: bounds, probe: null } as const;
  const driver = createDriver({ serviceId, runtime }, context) as McpDriver;
  t.teardown(async () => {
    await driver.close();
    context.remove();
  });
  return driver;
}

for (const [generation, handler] of [
  ['of 2026-07-28', () => toNodeHandler(createMcpHandler(make)) as Handler],
  ['before 2026-07-28', withSessions],
] as const) {
  t.test(`a server at an address, ${generation}`, async (t) => {
    const { url } = await serve(t, handler());
    const driver = driverAt(t, url);
    const input: JsonObject = { do: 'echo', text: 'ü', list: [1, null] };
    t.same(resultOf(await driver.invoke(callOf(input))), input);
    t.notMatch(JSON.stringify(lastMeta ?? {}), /acheron\/call|agent-7/, 'it is told nothing of who calls');
    failsWith(
      t,
      await driver.invoke(callOf({ do: 'flood', bytes: 5_000_000 })),
      'EIO',
      /larger than|more than 200000 bytes/,
    );
    t.same(resultOf(await driver.invoke(callOf({ do: 'echo' }))), { do: 'echo' }, 'the next call works');
  });

  t.test(`a call of a server at an address ends when its time is up, ${generation}`, async (t) => {
    const { url } = await serve(t, handler());
    const driver = driverAt(t, url, {}, 500);
    failsWith(t, await driver.invoke(callOf({ do: 'hang' })), 'ETIMEDOUT', /500 ms/);
    t.same(resultOf(await driver.invoke(callOf({ do: 'echo' }))), { do: 'echo' });
  });
}

t.test('a server that is away is an error with its reason, and works once it is back', async (t) => {
  const { url, server } = await serve(t, toNodeHandler(createMcpHandler(make)));
  const driver = driverAt(t, url);
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
  server.closeAllConnections();
  server.close();
  const away = await driver.invoke(callOf({ do: 'echo' }));
  failsWith(t, away, 'EIO');
  await serve(t, toNodeHandler(createMcpHandler(make)), Number(new URL(url).port));
  const works = async (): Promise<boolean> => (await driver.invoke(callOf({ do: 'echo' }))).ok;
  let isBack = false;
  await until(
    () => {
      void works().then((ok) => (isBack ||= ok));
      return isBack;
    },
    'it is back',
    20_000,
  );
});

t.test('a token that is refused does not show in what is said', async (t) => {
  const { url } = await serve(t, toNodeHandler(createMcpHandler(make)));
  const driver = driverAt(t, url, { env: { TOKEN: 'wrong-secret' } });
  const refused = await driver.invoke(callOf({ do: 'echo' }));
  failsWith(t, refused, 'EIO', /401|Unauthorized/i);
  t.notMatch(JSON.stringify(refused), /wrong-secret/);
  const missing = driverAt(t, url, { headers: { Authorization: '{env.NOT_SET_ANYWHERE}' } });
  failsWith(t, await missing.invoke(callOf({ do: 'echo' })), 'EIO', /NOT_SET_ANYWHERE, which is not set/);
});

t.test('redirects are not followed, and get no header', async (t) => {
  let reached = 0;
  const other = createServer((_request, response) => {
    reached++;
    response.end();
  });
  await once(other.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => other.close());
  const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  const { url } = await serve(t, (_request, response) => response.writeHead(307, { location }).end());
  failsWith(t, await driverAt(t, url).invoke(callOf({ do: 'echo' })), 'EIO');
  t.equal(reached, 0);
});

t.test(
  'a server at an address that is not public is reached where the node allows it, and not else',
  async (t) => {
    let reached = 0;
    const { url } = await serve(t, (_request, response) => {
      reached++;
      response.writeHead(500).end();
    });
    const { port } = new URL(url);
    const refused = { code: 'EACCES', hint: /--allow-private/ };
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433']) {
      const driver = driverAt(t, `http://${host}:${port}/mcp`, {}, 20_000, {});
      const outcome = await driver.invoke(callOf({ do: 'echo' }));
      failsWith(t, outcome, 'EACCES', /not a public address/);
      t.match(outcome, { error: refused }, host);
    }
    t.equal(reached, 0, 'nothing was sent');
  },
);

t.test('a name is looked at by the very addresses that are connected to', async (t) => {
  let reached = 0;
  const { url } = await serve(t, () => reached++);
  let asked = 0;
  const resolver = ((_host: string, _options: object, callback: (...said: unknown[]) => void) => {
    callback(null, [{ address: asked++ === 0 ? '10.0.0.1' : '127.0.0.1', family: 4 }]);
  }) as unknown as DriverContext['resolver'];
  const driver = driverAt(t, `http://rebinds.test:${new URL(url).port}/mcp`, {}, 20_000, { resolver });
  for (let turn = 0; turn < 2; turn++)
    failsWith(t, await driver.invoke(callOf({ do: 'echo' })), 'EACCES', /not a public address/);
  t.ok(asked > 0);
  t.equal(reached, 0);
});
