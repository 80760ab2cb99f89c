import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneProcesses } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';

const top = join(import.meta.dirname, '../../..');

t.test(
  'alert rules ask for metrics that a replica has, and each is explained',
  { skip: noPostgres },
  async (t) => {
    const rules = readFileSync(join(top, 'packaging/prometheus/acheron.rules.yml'), 'utf8');
    const docs = readFileSync(join(top, 'docs/ADMIN.md'), 'utf8');
    const store = PostgresServer.url(await PostgresServer.primary(t));
    const plane = await PlaneProcesses.start(t, ['--store', store]);
    const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
    const response = await fetch(`${plane.url.replace('ws', 'http')}/metrics`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const known = new Set([...(await response.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const asked = [...rules.matchAll(/\bacheron_\w+/g)].map(([name]) => name);
    t.ok(asked.length > 3);
    t.same(
      asked.filter((name) => !known.has(name)),
      [],
    );
    for (const [, alert] of rules.matchAll(/- alert: (\w+)/g)) t.match(docs, `\`${alert}\``);
  },
);
