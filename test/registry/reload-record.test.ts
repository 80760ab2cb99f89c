import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog, type NodeId } from '../../lib/core/index.js';
import { reloadReport } from '../../lib/protocol/index.js';
import { Registry, type ReloadRecord } from '../../lib/registry/index.js';
import { temporaryDir } from '../support/test-node.js';

t.test('a report on very many files, and on very long ones, is one that a control plane takes', async (t) => {
  const dir = temporaryDir(t);
  const save = (name: string, manifest: object): void =>
    writeFileSync(join(dir, `${name}.json`), JSON.stringify(manifest));
  for (let n = 0; n < 1200; n++) save(`s${n}`, { service_id: `s${n}`, kind: 'test' });
  save('long', { service_id: 'long', kind: 'test', version: 'v'.repeat(5000), help_md: 'x'.repeat(5000) });
  save('zz-faulty', { service_id: 'faulty', kind: 'x'.repeat(5000), ['y'.repeat(5000)]: { state: 7 } });
  const registry = new Registry({
    ...{ nodeId: 'n1' as NodeId, servicesDirs: [dir], trustWritable: true },
    ...{ reloadIntervalMs: 0, watch: false, log: silentLog },
  });
  t.teardown(() => registry.close());
  const records: ReloadRecord[] = [];
  registry.reloads.on((record) => records.push(record));
  await registry.start();
  const [record] = records;
  const parsed = reloadReport.safeParse({ report_id: 'r', ...record });
  t.equal(parsed.error?.message, undefined);
  t.ok(JSON.stringify(record).length < 256 * 1024);
  t.ok(record!.more > 0, `${record!.more} files are left out`);
  t.equal(record!.files.length + record!.more, 1202);
  t.match(
    record!.files.at(-1),
    { path: join(dir, 'zz-faulty.json'), outcome: 'refused' },
    'not those that say most',
  );
});
