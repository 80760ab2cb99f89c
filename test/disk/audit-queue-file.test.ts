import { appendFileSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from '../support/properties.js';
import t from 'tap';
import { AuditQueueFile, type Dropped } from '../../lib/disk/index.js';
import { temporaryDir } from '../support/test-node.js';

/** In these tests a line about dropped lines begins so, and what those were about is counted too. */
function lineOfDropped({ lines, first, last }: Dropped): string {
  const [, earlier, from] = /^dropped (\d+) (.*)\.\./.exec(first) ?? [];
  return `dropped ${earlier === undefined ? lines : lines - 1 + Number(earlier)} ${from ?? first}..${last}\n`;
}

/** Takes all that there is, in batches. */
function takeAll(queue: AuditQueueFile, maxBytes = 64): string[] {
  const taken: string[] = [];
  for (let batch = queue.batch(maxBytes); batch !== null; batch = queue.batch(maxBytes)) {
    taken.push(...batch.lines);
    batch.taken();
  }
  return taken;
}

t.test('lines are taken once, in order, across restarts', async (t) => {
  const path = join(temporaryDir(t), 'log');
  let queue = new AuditQueueFile(path, { lineOfDropped });
  for (const word of ['a', 'b', 'c']) queue.append(`${word}\n`);
  const first = queue.batch(5)!;
  t.strictSame(first.lines, ['a', 'b']);
  first.taken();
  t.strictSame(queue.batch(64)!.lines, ['c'], 'not acknowledged');
  queue.close();
  queue = new AuditQueueFile(path, { lineOfDropped });
  t.strictSame(takeAll(queue), ['c'], 'so it is sent again');
  queue.append('d\n');
  t.strictSame(takeAll(queue), ['d']);
  queue.close();
});

t.test('half a line that a full disk left is removed, and what follows is whole', async (t) => {
  const path = join(temporaryDir(t), 'log');
  const queue = new AuditQueueFile(path, { lineOfDropped });
  queue.append('whole\n');
  queue.close();
  appendFileSync(path, 'half a li');
  const again = new AuditQueueFile(path, { lineOfDropped });
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
        let queue = new AuditQueueFile(path, { rotateBytes: 80, lineOfDropped });
        queue.keepUntilTaken();
        let written = 0;
        const taken: number[] = [];
        for (const what of steps) {
          if (what === 'append') queue.append(`line ${written++}\n`);
          else if (what === 'restart') {
            queue.close();
            queue = new AuditQueueFile(path, { rotateBytes: 80, lineOfDropped });
          } else {
            const batch = queue.batch(40);
            if (what !== 'take' || batch === null) continue;
            taken.push(...batch.lines.map((line) => Number(line.slice(5))));
            batch.taken();
          }
        }
        taken.push(...takeAll(queue, 40).map((line) => Number(line.slice(5))));
        queue.close();
        return taken.length === written && taken.every((line, index) => line === index);
      }),
    );
    t.pass('for any sequence of steps');
  },
);

t.test(
  '[P] what is kept for a receiver that is away is bounded, and each line was taken or is counted as dropped',
  async (t) => {
    const dir = temporaryDir(t);
    const options = { rotateBytes: 80, maxBytes: 320, lineOfDropped };
    let run = 0;
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.constant('append' as const) },
      { weight: 1, arbitrary: fc.constant('take' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 200 }), (steps) => {
        const name = `bounded-${run++}`;
        const path = join(dir, name);
        let queue = new AuditQueueFile(path, options);
        queue.keepUntilTaken();
        let written = 0;
        const taken: string[] = [];
        for (const what of steps) {
          if (what === 'append') queue.append(`line ${String(written++).padStart(3, '0')}\n`);
          else if (what === 'restart') {
            queue.close();
            queue = new AuditQueueFile(path, options);
          } else {
            const batch = queue.batch(40);
            taken.push(...(batch?.lines ?? []));
            batch?.taken();
          }
          const files = readdirSync(dir).filter((file) => file.startsWith(name) && !file.endsWith('.sent'));
          const bytes = files.reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
          if (bytes > 320 + 120) return false;
        }
        taken.push(...takeAll(queue, 40));
        queue.close();
        const numbers = taken.flatMap((line) => (line.startsWith('line ') ? [Number(line.slice(5))] : []));
        const counted = taken.flatMap((line) => /^dropped (\d+) /.exec(line)?.[1] ?? []).map(Number);
        const lost = counted.reduce((sum, count) => sum + count, 0);
        const isOrdered = numbers.every((number, at) => at === 0 || number > numbers[at - 1]!);
        return isOrdered && numbers.length + lost === written;
      }),
    );
    t.pass('for any sequence of steps');
  },
);

t.test('a line says how many were dropped, the first and the last of them', async (t) => {
  const path = join(temporaryDir(t), 'log');
  const queue = new AuditQueueFile(path, { rotateBytes: 20, maxBytes: 60, lineOfDropped });
  queue.keepUntilTaken();
  for (let n = 10; n < 20; n++) queue.append(`line ${n}\n`);
  t.strictSame(takeAll(queue), [
    ...[13, 14, 15, 16, 17, 18].map((n) => `line ${n}`),
    'dropped 3 line 10..line 12',
    'line 19',
  ]);
  queue.close();
});

t.test('files that a kill left half renamed are found again, in order', async (t) => {
  const path = join(temporaryDir(t), 'log');
  const options = { rotateBytes: 20, lineOfDropped };
  let queue = new AuditQueueFile(path, options);
  queue.keepUntilTaken();
  for (let n = 10; n < 20; n++) queue.append(`line ${n}\n`);
  queue.close();
  for (const number of [3, 2]) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  queue = new AuditQueueFile(path, options);
  t.strictSame(
    takeAll(queue),
    Array.from({ length: 10 }, (_, n) => `line ${n + 10}`),
  );
  queue.close();
});
