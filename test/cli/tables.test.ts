import t from 'tap';
import { fittedWidths } from '../../lib/cli/print.js';
import { acheron } from '../support/acheron.js';

t.test('a table fits the terminal: its widest columns give, and none to nothing', async (t) => {
  t.same(fittedWidths([10, 20, 5], Infinity), [10, 20, 5], 'a pipe gets all of it');
  t.same(fittedWidths([10, 20, 5], 39), [10, 20, 5]);
  t.same(fittedWidths([10, 20, 5], 34), [10, 15, 5]);
  t.same(fittedWidths([30, 30], 42), [20, 20]);
  t.same(fittedWidths([30, 30], 41), [20, 19], 'the last gives first');
  t.same(fittedWidths([30, 30, 3], 10), [8, 8, 3], 'a terminal that is too narrow breaks lines');
  t.same(fittedWidths([], 10), []);
});

t.test('colours are for terminals, unless --color or NO_COLOR says otherwise', async (t) => {
  const isColoured = async (words: string[], env: NodeJS.ProcessEnv = {}) =>
    (await acheron(['validate', '.', ...words], { env })).stdout.includes('\u001b[');
  t.notOk(await isColoured([], { NO_COLOR: '' }), 'a pipe gets none');
  t.ok(await isColoured(['--color']), 'nor does NO_COLOR hold against it');
  t.ok(await isColoured(['--color=always']));
  t.notOk(await isColoured(['--color=never'], { NO_COLOR: '', FORCE_COLOR: '1' }));
  t.notOk(await isColoured(['--no-color'], { NO_COLOR: '', FORCE_COLOR: '1' }));
  t.equal((await acheron(['validate', '.', '--color=blue'])).status, 2);
});
