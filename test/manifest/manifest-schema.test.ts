import { Ajv } from 'ajv';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_LIMITS, lineFromFault, MANIFEST_SCHEMA, readManifest } from '../../lib/manifest/index.js';

const folder = join(import.meta.dirname, '../../../manifests');
const published = JSON.parse(
  readFileSync(join(folder, 'acheron-manifest.schema.json'), 'utf8'),
) as typeof MANIFEST_SCHEMA;

t.test('the published schema is the one that the reader checks by', async (t) => {
  t.same(published, JSON.parse(JSON.stringify(MANIFEST_SCHEMA)));
});

t.test('the published schema is valid draft-07, and describes every field', async (t) => {
  const ajv = new Ajv({ strict: false });
  t.ok(ajv.validateSchema(published), JSON.stringify(ajv.errors));
  const runtime = MANIFEST_SCHEMA.properties.runtime.then.properties;
  for (const [name, field] of Object.entries({ ...MANIFEST_SCHEMA.properties, ...runtime }))
    t.type((field as { description?: unknown }).description, 'string', name);
});

t.test('the defaults that the schema gives are the ones that the reader fills in', async (t) => {
  const { runtime } = readManifest(
    '{"service_id":"a","kind":"b","runtime":{"type":"native_proc","executable_path":"x"}}',
    { file: '/m/a.json', nodeId: 'n' },
  ).definition!;
  const published = MANIFEST_SCHEMA.properties.runtime.then.properties;
  t.match(runtime, {
    mode: published.mode.default,
    output: published.output.default,
    warmCount: published.warm_count.default,
    allowDash: published.allow_dash.default,
    args: published.args.default,
    env: published.env.default,
  });
  t.same(runtime.limits, DEFAULT_LIMITS);
  t.equal(published.timeout_ms.default, DEFAULT_LIMITS.timeoutMs);
});

t.test('every bundled manifest is without fault or warning', async (t) => {
  const bundled = join(folder, 'services');
  for (const name of readdirSync(bundled).filter((name) => name.endsWith('.json'))) {
    const file = join(bundled, name);
    const { faults, warnings } = readManifest(readFileSync(file, 'utf8'), { file, nodeId: 'local' });
    t.same([...faults, ...warnings].map(lineFromFault), [], name);
  }
});
