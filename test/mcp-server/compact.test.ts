import t from 'tap';
import { ERAS, mcpByHttp } from '../support/mcp.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';

const SERVICES = [
  shellManifest('upper', 'tr a-z A-Z', {
    help_md: 'Turns letters into capitals.',
    invoke_template: { text: 'hi' },
    schema: { input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } },
  }),
  shellManifest('reverse', 'rev', { help_md: 'Turns a line round.' }),
  shellManifest('admins', 'cat', {
    permissions: { allow_roles: ['admin'] },
    help_md: 'Capitals for admins.',
  }),
  ...Array.from({ length: 30 }, (_, i) => shellManifest(`other-${String(i).padStart(2, '0')}`, 'cat')),
];

for (const era of ERAS)
  t.test(`three tools find, describe and call services, by the ${era} protocol`, async (t) => {
    const under = await PlaneWithNode.start(t, 'here', SERVICES);
    const client = await mcpByHttp(t, era, {
      url: under.plane.url,
      token: under.token('user'),
      query: '?compact',
    });
    t.same(
      (await client.listTools()).tools.map(({ name }) => name),
      ['find_services', 'describe_service', 'call_service'],
    );
    const ask = async (name: string, args: Record<string, unknown>): Promise<string> => {
      const { content } = await client.callTool({ name, arguments: args });
      return (content[0] as { text: string }).text;
    };
    t.equal(await ask('find_services', { words: 'capitals' }), 'n1/upper: Turns letters into capitals.');
    const first = (await ask('find_services', {})).split('\n');
    t.equal(first.length, 21);
    t.match(first.at(-1), /^12 more/);
    const rest = (await ask('find_services', { after: first[19]!.split(':')[0] })).split('\n');
    t.equal(rest.length, 12);
    t.match(
      await ask('describe_service', { service: 'upper' }),
      /^Turns .*\n.*\{"text":"hi"\}\n.*"required":\["text"\]/,
    );
    t.equal(await ask('call_service', { service: 'n1/upper', request: { text: 'hi' } }), '{"TEXT":"HI"}');
    t.match(await ask('call_service', { service: 'upper', request: {} }), /^EINVAL: /);
    t.match(await ask('describe_service', { service: 'admins' }), /^ENOENT: /);
    t.match(await ask('call_service', { service: 'admins', request: {} }), /^ENOENT: /);
    await t.rejects(client.callTool({ name: 'n1__upper', arguments: {} }), { code: -32602 });
  });
