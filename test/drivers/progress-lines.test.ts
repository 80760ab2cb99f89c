import * as fc from 'fast-check';
import t from 'tap';
import { progressFrom, type Progress } from '../../lib/drivers/index.js';
import { ProgressLines } from '../../lib/drivers/progress-lines.js';

/** What becomes of a stderr that comes in these parts. */
function heardOf(parts: readonly (string | Buffer)[]): { passed: string; progress: Progress[] } {
  const passed: Buffer[] = [];
  const progress: Progress[] = [];
  const lines = new ProgressLines(
    (chunk) => passed.push(Buffer.from(chunk)),
    (said) => progress.push(said),
  );
  for (const part of parts) lines.take(Buffer.from(part as string));
  lines.end();
  return { passed: Buffer.concat(passed).toString(), progress };
}

t.test('a progress line is taken out of stderr, the lines around it are not', async (t) => {
  const { passed, progress } = heardOf([
    'a\n::progress {"done": 3, "total": 10, "message": "three"}\nb ::progress {"done":1}\r\n',
    '::progress {"done":4}\r\n\nc',
  ]);
  t.equal(passed, 'a\nb ::progress {"done":1}\r\n\nc');
  t.same(progress, [
    { done: 3, total: 10, message: 'three' },
    { done: 4, total: null, message: null },
  ]);
});

t.test('a last progress line may lack its end', async (t) => {
  t.same(heardOf(['::progress {"done":1}']), {
    passed: '',
    progress: [{ done: 1, total: null, message: null }],
  });
});

t.test('what only looks like a progress line stays a line of stderr', async (t) => {
  for (const line of [
    '::progress',
    '::progress ',
    '::progress {',
    '::progress 3',
    '::progress []',
    '::progress null',
    '::progress {"total":10}',
    '::progress {"done":"3"}',
    '::progress {"done":-1}',
    '::progress {"done":1e999}',
    '::progress {"done":1,"total":0}',
    '::progress {"done":1,"total":-5}',
    '::progress {"done":1,"total":"ten"}',
    '::progress {"done":1,"message":7}',
    ' ::progress {"done":1}',
    '::Progress {"done":1}',
    '::progress\t{"done":1}',
    `::progress {"done":1,"message":"${'x'.repeat(5000)}"}`,
  ]) {
    t.same(heardOf([`${line}\n`]), { passed: `${line}\n`, progress: [] }, line.slice(0, 40));
    t.same(heardOf([line]), { passed: line, progress: [] }, `${line.slice(0, 40)} at the end`);
  }
});

t.test('it does not matter where a stderr is cut into parts', async () => {
  const line = fc.oneof(
    fc.constantFrom(
      '::progress {"done":1}',
      '::progress {"done":2,"total":4}',
      '::prog',
      ':',
      '::progress x',
      '',
    ),
    fc.string({ maxLength: 12 }).map((text) => text.replaceAll('\n', ' ')),
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.array(fc.nat(200), { maxLength: 20 }),
      (lines, cuts) => {
        const whole = Buffer.from(lines.join('\n'));
        const at = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
        const parts = at.slice(1).map((end, i) => whole.subarray(at[i], end));
        const { passed, progress } = heardOf(parts);
        const isProgress = (text: string): boolean => /^::progress \{"done":[12](,"total":4)?\}$/.test(text);
        const rest = lines.map((text, i) =>
          isProgress(text) ? '' : text + (i < lines.length - 1 ? '\n' : ''),
        );
        return passed === rest.join('') && progress.length === lines.filter(isProgress).length;
      },
    ),
  );
});

t.test('a message is one line without controls, and not longer than 200 characters', async (t) => {
  const messageOf = (message: string): string | null | undefined =>
    progressFrom({ done: 1, message })?.message;
  t.equal(messageOf('\u001b[2J\u0007a\nb\u202ec\u0000\u009b31m '), '[2J a b c 31m');
  t.equal(messageOf(''), '');
  t.equal(Array.from(messageOf('😀'.repeat(300)) ?? '').length, 200);
  t.match(messageOf('😀'.repeat(300)), /😀…$/u);
  t.equal(messageOf('x'.repeat(200)), 'x'.repeat(200));
});

t.test('a stderr without progress lines is passed on as it came, part for part', async (t) => {
  const parts: Buffer[] = [];
  const lines = new ProgressLines(
    (chunk) => parts.push(chunk as Buffer),
    () => t.fail('there is none'),
  );
  const given = Array.from({ length: 50 }, (_, i) => Buffer.from(`line ${i}: all is well\n`));
  for (const part of given) lines.take(part);
  lines.end();
  t.ok(given.every((part, i) => parts[i] === part));
});
