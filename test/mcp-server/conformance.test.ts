import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacksConformance, runConformance } from '../support/conformance.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { SuiteProxy } from '../support/suite-proxy.js';
import { suiteIsThere, suiteServer, suiteTool } from '../support/suite-server.js';
import { shellManifest, temporaryDir, type Teardown } from '../support/test-node.js';

const EXPECTED = join(import.meta.dirname, '../../..', 'test/mcp-server/conformance.yml');

/** What the suite's scenarios call that is no answer of an MCP server. */
const TOOLS = [
  shellManifest('test_error_handling', 'exit 1'),
  shellManifest('test_tool_with_logging', 'for i in 1 2 3; do echo "step $i" >&2; done; echo "{}"'),
  shellManifest(
    'test_tool_with_progress',
    `for i in 0 50 100; do printf '::progress {"done": %s, "total": 100}\\n' $i >&2; sleep 0.3; done; echo '{}'`,
  ),
  shellManifest('json_schema_2020_12_tool', 'cat', {
    schema: {
      input: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        $defs: {
          address: {
            type: 'object',
            properties: { street: { type: 'string' }, city: { type: 'string' } },
          },
        },
        properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
        additionalProperties: false,
      },
    },
  }),
];
const OURS: ReadonlySet<string> = new Set(TOOLS.map((tool) => tool['service_id'] as string));

/** What the suite reads, as files of an export. */
const FILES = new Map<string, readonly [name: string, content: string | Buffer]>([
  ['test://static-text', ['static-text.txt', 'This is the content of a text.']],
  ['test://static-binary', ['static-binary.png', Buffer.from('iVBORw0KGgoAAAANSUhEUg==', 'base64')]],
  ['test://template/123/data', ['template/123/data.json', '{"id":"123"}']],
]);

function exported(t: Teardown): string {
  // A user of another machine is nobody here, and could not look into the directory itself.
  const dir = join(temporaryDir(t), 'files');
  mkdirSync(join(dir, 'template/123'), { recursive: true });
  for (const [name, content] of FILES.values()) writeFileSync(join(dir, name), content);
  return dir;
}

t.test(
  "/mcp passes the protocol's conformance suite, but for what it says",
  { skip: lacksConformance },
  async (t) => {
    const proxy = await SuiteProxy.listen(t, {
      tool: (name) => (OURS.has(name) ? `n1__${name}` : suiteTool(name)),
      address: (uri) => `acheron://n1/files/${FILES.get(uri)?.[0] ?? 'none'}`,
    });
    const under = await PlaneWithNode.start(
      t,
      'here',
      [...TOOLS, await suiteServer(t)],
      'admin',
      { exports: [{ name: 'files', path: exported(t), readOnly: true }] },
      { allowOrigins: [proxy.origin] },
    );
    await suiteIsThere(under);
    proxy.passTo(new URL(`${under.plane.url.replace(/^ws/, 'http')}/mcp`), under.token('user'));
    const { status, said } = await runConformance(t, [
      ...['server', '--url', `${proxy.origin}/mcp`, '--suite', 'all', '--expected-failures', EXPECTED],
    ]);
    t.equal(status, 0, said.slice(-4000));
  },
);
