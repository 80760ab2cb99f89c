import t from 'tap';
import { runDriver } from './run-driver.js';

interface Summary {
  rows: number;
  ragged_rows: number;
  delimiter: string;
  columns: Record<string, unknown>[];
}

async function summarise(payload: Record<string, unknown>): Promise<Summary> {
  const done = await runDriver('csv-summary', payload);
  if (done.code !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as Summary;
}

t.test('csv-summary distinguishes numbers from text', async (t) => {
  const summary = await summarise({ csv: 'name,age\r\nAda,36\r\nBob,\r\nAda,40\r\n' });
  t.equal(summary.rows, 3);
  t.match(summary.columns, [
    { name: 'name', type: 'text', distinct: 2, missing: 0, top: [{ value: 'Ada', count: 2 }, {}] },
    { name: 'age', type: 'number', missing: 1, min: 36, max: 40, sum: 76, mean: 38 },
  ]);
});

t.test('csv-summary reads quoted fields, guesses the delimiter and counts ragged rows', async (t) => {
  const summary = await summarise({ csv: 'a;b\n"1\n2";"x;y"\nlone\n' });
  t.match(summary, { rows: 2, ragged_rows: 1, delimiter: ';' });
  t.match(summary.columns[0], { type: 'text', distinct: 2 });
});

t.test('csv-summary names the columns of a table without a header', async (t) => {
  const summary = await summarise({ csv: '1\t2\n', header: false });
  t.same(
    summary.columns.map((column) => column['name']),
    ['column_1', 'column_2'],
  );
});

t.test('csv-summary takes an empty table, and numbers that JSON cannot hold as text', async (t) => {
  t.match(await summarise({ csv: '' }), { rows: 0, columns: [] });
  t.match((await summarise({ csv: 'x\nNaN\ninf\n' })).columns, [{ type: 'text' }]);
});

for (const bad of [
  '',
  '[]',
  '{}',
  '{"csv":1}',
  '{"csv":"a","delimiter":",,"}',
  '{"csv":"a","header":1}',
  '\xff',
])
  t.test(`csv-summary refuses ${JSON.stringify(bad)}`, async (t) => {
    const done = await runDriver('csv-summary', {}, bad);
    t.equal(done.code, 2);
    t.equal(done.stdout, '');
    t.match(done.stderr, /^csv-summary: .*\n$/, 'a sentence, not a traceback');
  });
