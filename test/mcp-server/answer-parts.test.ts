import t from 'tap';
import { ERAS, mcpByHttp } from '../support/mcp.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { suiteIsThere, suiteServer, suiteTool } from '../support/suite-server.js';

const PLACES: readonly Joined[] = ['here', 'through a tunnel'];

for (const era of ERAS)
  for (const joined of PLACES)
    t.test(`pictures and sounds reach a client of the ${era} protocol, of a node ${joined}`, async (t) => {
      const under = await PlaneWithNode.start(t, joined, [await suiteServer(t)]);
      await suiteIsThere(under);
      const client = await mcpByHttp(t, era, { url: under.plane.url, token: under.token('user') });
      const call = (name: string, args = {}) => client.callTool({ name: suiteTool(name), arguments: args });

      const { content, structuredContent } = await call('test_multiple_content_types');
      t.equal(structuredContent, undefined, 'the JSON only names files, which the client has not');
      t.strictSame(
        content.map(({ type }) => type),
        ['text', 'image', 'audio', 'resource', 'resource_link'],
      );
      t.match(content, [
        { text: 'All of them:' },
        { data: /^iVBOR/, mimeType: 'image/png' },
        { data: /^UklGR/, mimeType: 'audio/wav' },
        { resource: { uri: 'test://embedded', mimeType: 'text/plain', text: /embedded/ } },
        { uri: 'test://linked', name: 'linked', mimeType: 'text/plain' },
      ]);

      const structured = await call('structured');
      t.same(structured.structuredContent, { n: 1 });
      t.match(structured.content, [{ text: '{"n":1}' }, { type: 'image', mimeType: 'image/png' }]);

      const large = await call('large');
      t.match(large.content, [
        { text: 'Large:' },
        {
          type: 'text',
          text: /^image\/png of 5000000 bytes.*\/suite\.large\/jobs\/\w+\/content\/2\.png in a mount/,
        },
      ]);
      t.match(await call('test_simple_text'), { structuredContent: { text: 'This is a simple text.' } });
    });
