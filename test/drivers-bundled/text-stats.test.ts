import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { ended, top, type Ended } from './run-driver.js';

async function runWasm(stdin: string): Promise<Ended> {
  const program = join(import.meta.dirname, 'wasi-program.js');
  const driver = join(top, 'drivers/wasm/text-stats.wasm');
  const child = spawn(process.execPath, ['--no-warnings', program, driver], { env: {} });
  child.stdin.end(stdin);
  return ended(child);
}

t.test('text-stats counts what a text has, escapes and all', async (t) => {
  const text = 'one two\nthree ü€😀\u00a0four\n';
  for (const json of [
    JSON.stringify({ text }),
    String.raw`{"a":[{"text":1},"}"],"text":"one two\nthree \u00fc\u20ac\ud83d\ude00\u00a0four\n"}`,
  ]) {
    const done = await runWasm(json);
    t.equal(done.code, 0, done.stderr);
    t.same(JSON.parse(done.stdout), {
      lines: 2,
      words: 5,
      characters: Array.from(text).length,
      bytes: Buffer.byteLength(text),
      longest_line: 14,
    });
  }
});

t.test('text-stats takes a text of a megabyte', async (t) => {
  const done = await runWasm(JSON.stringify({ text: 'word '.repeat(200_000) }));
  t.match(JSON.parse(done.stdout), { words: 200_000 });
});

for (const bad of ['', '[]', '{}', '{"text":1}', '{"text":"a', String.raw`{"text":"\u00g0"}`, '{"x":[[['])
  t.test(`text-stats refuses ${JSON.stringify(bad)}`, async (t) => {
    const done = await runWasm(bad);
    t.equal(done.code, 2);
    t.equal(done.stdout, '');
    t.match(done.stderr, /^text-stats: .*\n$/);
  });
