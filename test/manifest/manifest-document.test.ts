import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MANIFEST_SCHEMA } from '../../lib/manifest/index.js';

const text = readFileSync(join(import.meta.dirname, '../../../docs/MANIFEST.md'), 'utf8');

t.test('the manifest reference names every field, and gives the defaults that the schema has', async (t) => {
  const runtime = MANIFEST_SCHEMA.properties.runtime.then.properties;
  const rows = new Map(
    [...text.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name, cells]) => [name!, cells!]),
  );
  for (const name of Object.keys(MANIFEST_SCHEMA.properties)) t.ok(rows.has(name), name);
  for (const [name, field] of Object.entries(runtime)) {
    const row = rows.get(name);
    t.not(row, undefined, name);
    if (!('default' in field)) continue;
    const documented = row?.split('|')[1]?.trim().replaceAll('`', '');
    t.equal(documented, JSON.stringify(field.default), name);
  }
});
