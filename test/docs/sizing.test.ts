import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { top } from './mounted.js';

const NUMBER = /\d+(?:,\d{3})*(?:\.\d+)?/g;

t.test('each figure by which machines are sized stands in docs/performance.md', async (t) => {
  const measured = new Set(readFileSync(join(top, 'docs/performance.md'), 'utf8').match(NUMBER));
  const [, table] = /^## Sizing\n([^]*?)^## /m.exec(readFileSync(join(top, 'docs/PRODUCTION.md'), 'utf8'))!;
  const rows = [...table!.matchAll(/^\| ([^|]+) \| ([^|]*\d[^|]*) \|/gm)];
  t.ok(rows.length > 8);
  for (const [, what, figure] of rows)
    for (const number of figure!.match(NUMBER) ?? []) t.ok(measured.has(number), `${what!}: ${number}`);
});
