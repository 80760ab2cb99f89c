import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { fixture } from '../support/drivers.js';
import { ADMIN, TestNode, USER, errnoOf } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';

const manifest = (runtime: JsonObject = {}): JsonObject => ({
  service_id: 'bad',
  kind: 'mcp',
  permissions: { allow_roles: ['admin', 'user'] },
  runtime: {
    type: 'mcp',
    command: process.execPath,
    args: [fixture('hostile-mcp.mjs')],
    timeout_ms: 20_000,
    max_output_bytes: 1_000_000,
    ...runtime,
  },
});

const node = await TestNode.start(t, [manifest()]);
const services = (): Promise<string[]> => node.names('/nodes/n1/services');
await until(async () => (await services()).includes('bad.fine'), 'its tools are services');

/** The answer of a tool, or why there is none. */
async function call(tool: string, args: JsonObject = {}): Promise<string> {
  const errno = await errnoOf(() =>
    node.write(node.path(`bad.${tool}`, 'control/invoke.json'), JSON.stringify(args)),
  );
  return node.read(node.path(`bad.${tool}`, errno === null ? 'result.json' : 'last_error.txt'));
}

t.test('names that no service can have are mapped, each to its own, and stay in their place', async (t) => {
  const names = await services();
  for (const name of names) t.match(name, /^[A-Za-z0-9._-]{1,128}$/);
  t.equal(new Set(names).size, names.length);
  const links = await node.names('/nodes/n1/bad/tools');
  t.equal(links.length, names.filter((name) => name.startsWith('bad.')).length);
  t.equal(names.filter((name) => name.startsWith('bad.a_b_c')).length, 2);
  t.equal(names.filter((name) => name === 'bad.fine').length, 1, 'what is listed twice is there once');
  t.notOk(
    names.some((name) => name.includes('large')),
    'what is too large is left out',
  );
  const [file] = node.node.registry.diagnostics()['files'] as unknown as {
    warnings: { message: string }[];
  }[];
  const warnings = file!.warnings.map(({ message }) => message).join('\n');
  t.match(warnings, /"fine" .* is listed twice/);
  t.match(warnings, /"large" .* left out/);
  t.match(warnings, /"far" .* cannot be used/);
});

t.test('what it calls destructive is for admins alone', async (t) => {
  t.notOk((await node.names('/nodes/n1/services', USER)).includes('bad.deletes'));
  t.ok((await node.names('/nodes/n1/services', ADMIN)).includes('bad.deletes'));
});

t.test('lies are EIO in clear words, and the next call works', async (t) => {
  t.match(await call('lying'), /^EIO: .*(schema|number)/s);
  t.match(await call('lies'), /^EIO: The answer of the MCP server cannot be used/);
  t.match(await call('wrong'), /"text": "for you"/);
  t.match(await call('fine'), /"text": "fine"/);
});

t.test('deep nesting is a text like others', async (t) => {
  t.match(await call('deep'), /"text": "\[\[\[|EIO/);
  t.match(await call('fine'), /"text": "fine"/);
});

t.test('a result of 100 MB ends the server, not the node', async (t) => {
  const before = process.memoryUsage().rss;
  t.match(await call('huge'), /^EIO: .*more than 1000000 bytes/s);
  t.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024, 'and takes no memory');
  t.match(await call('fine'), /"text": "fine"/);
});

t.test('a flood of logs is cut, and the call goes on', async (t) => {
  t.match(await call('logs'), /"text": "logged"/);
  const [job] = await node.names(node.path('bad.logs', 'jobs'));
  const stderr = await node.read(node.path('bad.logs', `jobs/${job!}/stderr`));
  t.ok(stderr.length < 1_010_000, `${stderr.length} characters`);
  t.match(stderr, /the rest is not kept/);
});

t.test('a request for a model is refused, and the job says so', async (t) => {
  t.match(await call('sample'), /"text": "asked"/);
  const [job] = await node.names(node.path('bad.sample', 'jobs'));
  t.match(
    await node.read(node.path('bad.sample', `jobs/${job!}/stderr`)),
    /sampling\/createMessage, which is refused/,
  );
});

t.test('a list that changes all the time is followed from time to time', async (t) => {
  let changes = 0;
  node.node.registry.changes.on(() => changes++);
  t.match(await call('churn'), /"text": "changed"/);
  await until(async () => (await services()).includes('bad.changing-500'), 'the last list is in force');
  t.notOk((await services()).includes('bad.changing-0'));
  t.ok(changes <= 3, `${changes} reloads`);
  t.match(await node.read(node.path('bad.changing-500', 'HISTORY.ndjson')), /"change":"added"/);
});

t.test('a resource that is never answered is an error within seconds, and holds up no other', async (t) => {
  t.match(await node.read(node.path('bad', 'resources/y')), 'here');
  t.equal(await errnoOf(() => node.read(node.path('bad', 'resources/never'))), 'EIO');
  const next = await waited(() => errnoOf(() => node.read(node.path('bad', 'resources/never'))));
  t.equal(next.answer, 'EIO');
  t.ok(next.ms < 1_000, 'the next one does not wait at all');
});

t.test('a server that kills itself at each call is started again', async (t) => {
  for (let count = 0; count < 3; count++) {
    t.match(await call('ends'), /^EIO: The MCP server ended while the call ran.*SIGKILL/s);
    t.match(await call('fine'), /"text": "fine"/);
  }
});

t.test(
  'a server whose list makes no sense is offline with the reason, and what it offered before stays',
  async (t) => {
    t.match(await call('unlist'), /"text": "unlisted"/);
    await until(
      async () => /is not known/.test(await node.read(node.path('bad', 'health.json'))),
      'its health says so',
    );
    t.match(await call('fine'), /"text": "fine"/);
  },
);
