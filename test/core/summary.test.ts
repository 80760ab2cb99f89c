import t from 'tap';
import { summaryFromHelp } from '../../lib/core/index.js';

t.test('a summary is the first sentence of the help, whole and on one line', async (t) => {
  const cases: [string, string][] = [
    ['', ''],
    ['# Only a heading\n', 'Only a heading'],
    ['# name\n\nDoes this\nand that. Then more.\n\nAnd more.', 'Does this and that.'],
    ['No full stop\n\nNext paragraph.', 'No full stop'],
    [
      'Takes a time, e.g. `now`, or v1.2 of one. `format` says how.',
      'Takes a time, e.g. `now`, or v1.2 of one.',
    ],
    ['Does it (well.) Or not.', 'Does it (well.)'],
    ['```sh\nrun\n```', 'run'],
    ['Tabs\tand   spaces? Yes.', 'Tabs and spaces?'],
  ];
  for (const [help, summary] of cases) t.equal(summaryFromHelp(help), summary, JSON.stringify(help));
  t.equal(summaryFromHelp('word '.repeat(500)).length, 500);
});
