import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Spool } from '../../lib/node/spool.js';
import { temporaryDir } from '../support/test-node.js';

/** Takes all that there is, in batches. */
function takeAll(spool: Spool, maxBytes = 64): string[] {
  const taken: string[] = [];
  for (let batch = spool.batch(maxBytes); batch !== null; batch = spool.batch(maxBytes)) {
    taken.push(...batch.lines);
    batch.taken();
  }
  return taken;
}

t.test('lines are taken once, in order, across restarts', async (t) => {
  const path = join(temporaryDir(t), 'log');
  let spool = new Spool(path);
  for (const word of ['a', 'b', 'c']) spool.append(`${word}\n`);
  const first = spool.batch(5)!;
  t.strictSame(first.lines, ['a', 'b']);
  first.taken();
  t.strictSame(spool.batch(64)!.lines, ['c'], 'not acknowledged');
  spool.close();
  spool = new Spool(path);
  t.strictSame(takeAll(spool), ['c'], 'so it is sent again');
  spool.append('d\n');
  t.strictSame(takeAll(spool), ['d']);
  spool.close();
});

t.test('half a line that a full disk left is removed, and what follows is whole', async (t) => {
  const path = join(temporaryDir(t), 'log');
  const spool = new Spool(path);
  spool.append('whole\n');
  spool.close();
  appendFileSync(path, 'half a li');
  const again = new Spool(path);
  again.append('next\n');
  t.equal(readFileSync(path, 'utf8'), 'whole\nnext\n');
  t.strictSame(takeAll(again), ['whole', 'next']);
  again.close();
});

t.test(
  '[P] whatever is written, taken, set aside and restarted: no line is lost, none out of order',
  async (t) => {
    const dir = temporaryDir(t);
    let run = 0;
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constant('append' as const) },
      { weight: 2, arbitrary: fc.constant('take' as const) },
      { weight: 1, arbitrary: fc.constant('send without an answer' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const path = join(dir, String(run++));
        let spool = new Spool(path, 80);
        spool.keepUntilTaken();
        let written = 0;
        const taken: number[] = [];
        for (const what of steps) {
          if (what === 'append') spool.append(`line ${written++}\n`);
          else if (what === 'restart') {
            spool.close();
            spool = new Spool(path, 80);
          } else {
            const batch = spool.batch(40);
            if (what !== 'take' || batch === null) continue;
            taken.push(...batch.lines.map((line) => Number(line.slice(5))));
            batch.taken();
          }
        }
        taken.push(...takeAll(spool, 40).map((line) => Number(line.slice(5))));
        spool.close();
        return taken.length === written && taken.every((line, index) => line === index);
      }),
    );
    t.pass('for any sequence of steps');
  },
);
