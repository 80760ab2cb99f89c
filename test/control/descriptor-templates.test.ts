import fc from 'fast-check';
import t from 'tap';
import { catalogServiceFromDescriptor, type CatalogService } from '../../lib/control/index.js';
import type { JsonObject, JsonValue } from '../../lib/core/index.js';
import { DescriptorTemplates, permissionsOf } from '../../lib/control/store/descriptor-templates.js';
import { descriptor, FACTS, storeFor } from '../support/store.js';

/** What nodes say that they offer: names and texts with and without the node's directory in them. */
const HERE = '/nodes/@/';
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(HERE, `${HERE}a`, `${HERE}${HERE}`, '/nodes/b/x', '/nodes/', '\0', '\\', '"'),
);
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', '1', 'z')), tie('value'), { maxKeys: 4 }),
  ),
}));
const fields = fc.dictionary(
  fc.constantFrom(
    'labels_',
    'digest',
    'revision',
    'updated_at_ms',
    'x',
    HERE,
    '\0',
    `\0${HERE}`,
    '__proto__',
    '7',
  ),
  value,
);

t.test('every node gets back exactly what it said, with the hash of exactly that', (t) => {
  const templates = new DescriptorTemplates();
  fc.assert(
    fc.property(fields, (more) => {
      const written = JSON.stringify({ service_id: 's', kind: 'k', permissions: { allow: [HERE] }, ...more });
      for (const nodeId of ['b', 'a', 'zz', '@', 'a']) {
        const own = written.replaceAll('/nodes/@/', `/nodes/${nodeId}/`);
        const said = JSON.parse(own) as JsonObject;
        const { services, texts } = templates.catalogFrom(nodeId, [said]);
        const found = services.get('s')!;
        t.equal(JSON.stringify(found.descriptor), JSON.stringify(said), nodeId);
        t.equal(texts.get('s'), JSON.stringify(said));
        t.equal(found.hash, catalogServiceFromDescriptor(said).hash, `the hash of ${own}`);
        t.same(permissionsOf(found), { allow: [`/nodes/${nodeId}/`] });
      }
    }),
    { numRuns: 300, seed: 7 },
  );
  t.end();
});

t.test(
  'services that nodes have in common are kept once, and are what they were after a restart',
  async (t) => {
    const under = storeFor(t);
    const offer = (nodeId: string): JsonObject[] => [
      descriptor('a', {
        mounts: [{ mount_id: 'a', mount_path: `/nodes/${nodeId}/a` }],
        schema: { input: { type: 'object' } },
        updated_at_ms: nodeId.length,
      }),
    ];
    const ids = ['n', 'other'].map(
      (nodeName) => under.store.nodes.join({ ...FACTS, nodeName }, 60_000).nodeId,
    );
    for (const id of ids) under.store.nodes.upsert(id, offer(id));
    const serviceOf = (id: string): CatalogService => under.store.nodes.require(id).services.get('a')!;
    const check = (): void => {
      for (const id of ids) t.same(serviceOf(id).descriptor, offer(id)[0]);
      const [one, two] = ids.map((id) => serviceOf(id).descriptor['schema']);
      t.ok(one === two, 'one schema for both');
    };
    check();
    const hashes = ids.map((id) => serviceOf(id).hash);
    under.reopen();
    check();
    t.same(
      ids.map((id) => serviceOf(id).hash),
      hashes,
    );
  },
);
