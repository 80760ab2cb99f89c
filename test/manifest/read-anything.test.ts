import fc from '../support/properties.js';
import { isAbsolute } from 'node:path';
import t from 'tap';
import {
  inputValidatorOf,
  readManifest,
  readManifestBytes,
  type ManifestReading,
} from '../../lib/manifest/index.js';

const context = { file: '/m/x.json', nodeId: 'n' };
const valid = {
  service_id: 'svc',
  kind: 'tool',
  enabled: true,
  version: '1',
  endpoints: ['/nodes/{node_id}/svc'],
  mounts: [{ mount_id: 'a', mount_path: '/nodes/{node_id}/svc', state: 'online' }],
  runtime: {
    type: 'native_proc',
    executable_path: './x',
    args: ['a'],
    env: { A: 'b' },
    timeout_ms: 5,
    probe: { type: 'invoke', payload: {} },
  },
  permissions: { allow_roles: ['user'], actions: { control: { allow_roles: ['user'] } } },
  schema: { input: { type: 'object', properties: { a: { type: 'string' } } } },
  invoke_template: { a: 'x' },
  labels: { a: 'b' },
};

/** What must be true of every reading, whatever was read. */
function holds(reading: ManifestReading, text: string): boolean {
  const lines = text.split('\n');
  for (const fault of [...reading.faults, ...reading.warnings]) {
    const line = lines[fault.line - 1];
    if (line === undefined || fault.column < 1 || fault.column > line.length + 1) return false;
    if (fault.message === '' || fault.expected === '' || fault.got === '') return false;
  }
  if (reading.definition === undefined) return reading.faults.length > 0;
  const { definition } = reading;
  return (
    reading.faults.length === 0 &&
    definition.mounts.every(({ mountPath }) => mountPath.startsWith('/nodes/n/') && isAbsolute(mountPath)) &&
    JSON.stringify(definition.descriptor) ===
      JSON.stringify(JSON.parse(JSON.stringify(definition.descriptor))) &&
    typeof inputValidatorOf(definition)({}) === 'object'
  );
}

t.test('any text is read: a definition, or faults that each have a place in it', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json()), (text) =>
      holds(readManifest(text, context), text),
    ),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { definition, faults } = readManifestBytes(bytes, context);
      return (definition === undefined) === faults.length > 0;
    }),
  );
  t.pass();
});

t.test('any prefix of a manifest but the whole is a fault with a place', async (t) => {
  const text = JSON.stringify(valid, null, 1);
  for (let length = 0; length < text.length; length += 2) {
    const part = text.slice(0, length);
    const reading = readManifest(part, context);
    if (reading.definition !== undefined || !holds(reading, part)) t.fail(part);
  }
  t.not(readManifest(text, context).definition, undefined);
});

t.test('any value in the place of any field is read, or refused with its place', async (t) => {
  type Spot = { holder: Record<string, unknown>; key: string };
  const spotsOf = (holder: object): Spot[] =>
    Object.entries(holder).flatMap(([key, value]: [string, unknown]) => [
      { holder: holder as Record<string, unknown>, key },
      ...(typeof value === 'object' && value !== null ? spotsOf(value) : []),
    ]);
  const count = spotsOf(valid).length;
  const anyValue = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(
      '{node_id}',
      '/nodes/{node_id}/x',
      '..',
      '',
      '\u0000',
      -1,
      0,
      1e300,
      2 ** 53,
      null,
      [],
      {},
    ),
    fc.constantFrom<unknown>(
      { type: 'nope' },
      { $ref: 'http://example.org/x' },
      { pattern: '(' },
      { default: 'allow' },
    ),
  );
  fc.assert(
    fc.property(fc.nat(count - 1), anyValue, (index, value) => {
      const copy = structuredClone(valid);
      const spot = spotsOf(copy)[index]!;
      spot.holder[spot.key] = value;
      const text = JSON.stringify(copy, null, 2);
      return holds(readManifest(text, context), text);
    }),
    { numRuns: 400 },
  );
  t.pass();
});
