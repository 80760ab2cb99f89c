import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lineFromFault, readManifest } from '../../lib/manifest/index.js';
import { manifestNames, readBundled, runDriver, services } from './run-driver.js';

const addFormats = formats as unknown as (ajv: Ajv2020) => void;

function compile(schema: object): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
  addFormats(ajv);
  return ajv.compile(schema);
}

for (const name of manifestNames()) {
  const manifest = readBundled(name);
  t.test(`${name} is valid by the format`, async (t) => {
    const file = join(services, name);
    const reading = readManifest(readFileSync(file, 'utf8'), { file, nodeId: 'local' });
    t.same([...reading.faults, ...reading.warnings].map(lineFromFault), []);
  });
  t.test(`${name} describes itself`, async (t) => {
    t.equal(`${manifest.service_id}.json`, name, 'the file is named after the service');
    t.match(
      manifest.help_md,
      new RegExp(`^# ${manifest.service_id}\n\n[A-Z]`),
      'its help opens with a title',
    );
    t.ok(manifest.permissions['allow_roles'], 'it says who may call it');
    t.ok(manifest.labels['tier']);
  });
  if (manifest.runtime.type === 'static') continue;
  t.test(`${name} has a template that its schema takes`, async (t) => {
    t.match(manifest.schema!.input, { $schema: 'https://json-schema.org/draft/2020-12/schema' });
    t.ok(compile(manifest.schema!.input)(manifest.invoke_template));
  });
  if (manifest.runtime.type !== 'native_proc' || manifest.runtime.mode === 'persistent') continue;
  t.test(`${name} answers its own template as its output schema says`, async (t) => {
    const done = await runDriver(manifest.service_id, manifest.invoke_template!);
    t.equal(done.code, 0, done.stderr);
    const text = (manifest.runtime as { output?: string }).output === 'text';
    const result: unknown = text ? { text: done.stdout } : JSON.parse(done.stdout);
    t.ok(compile(manifest.schema!.output!)(result), JSON.stringify(result));
  });
}
