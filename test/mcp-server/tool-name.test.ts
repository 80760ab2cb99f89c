import { array, assert, constantFrom, property, string, tuple } from 'fast-check';
import t from 'tap';
import { toolName } from '../../lib/mcp-server/index.js';

t.test('a tool is named after its node and service, as every client takes it', async (t) => {
  t.equal(toolName('local', 'echo'), 'local__echo');
  t.match(toolName('local', 'files.read'), /^local__files_read-[0-9a-f]{6}$/);
  t.match(toolName('n'.repeat(60), 'service'), /^n{57}-[0-9a-f]{6}$/);
  t.equal(toolName('local', 'files.read'), toolName('local', 'files.read'), 'the same each time');
});

t.test('no two services have the same name', async (t) => {
  const letter = constantFrom('a', 'b', '_', '-', '.', '0');
  const id = string({ unit: letter, minLength: 1, maxLength: 6 });
  assert(
    property(array(tuple(id, id), { minLength: 2, maxLength: 40 }), (pairs) => {
      const distinct = new Map(
        pairs.map(([node, service]) => [`${node}/${service}`, toolName(node, service)]),
      );
      return (
        new Set(distinct.values()).size === distinct.size &&
        [...distinct.values()].every((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name))
      );
    }),
    { seed: 17, numRuns: 2000 },
  );
  t.pass('of two thousand catalogs');
});
