import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { barText, progressText } from '../../lib/cli/progress-line.js';
import { fitted, widthOf } from '../../lib/cli/text-width.js';
import { acheron, Up } from '../support/acheron.js';
import { Pty } from '../support/pty.js';
import { lacks } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

const skip = lacks('python3');
/** Says that it is half done, and goes on once the file is there. */
const HALF = `
echo 'one' >&2
echo '::progress {"done": 5, "total": 10, "message": "half \\u001b[31mred"}' >&2
until [ -e "$DIR/go" ]; do sleep 0.02; done
echo 'two' >&2
echo '{"ok": true}'`;

async function started(t: Test): Promise<{ env: NodeJS.ProcessEnv; go: () => void }> {
  const dir = t.testdir();
  const up = await Up.start(t, {
    manifests: [shellManifest('half', HALF, { runtime: { env: { DIR: dir } } })],
  });
  return { env: { ACHERON_STATE_DIR: up.stateDir }, go: () => writeFileSync(join(dir, 'go'), '') };
}

t.test(
  'invoke shows a bar at a terminal, below what the driver prints, and takes it away',
  { skip },
  async (t) => {
    const { env, go } = await started(t);
    const pty = new Pty(t, ['invoke', 'half', '{}'], { env });
    await pty.until(/\[=+> +\] +50% +half/);
    t.match(pty.shown, /one\r\n\r␛\[K\[=/, 'above the bar, on a line of its own');
    t.notMatch(pty.shown, /␛\[31m/, 'a message is no sequence');
    pty.resize(24, 30);
    await pty.until(/\r␛\[K(?=.{1,29}$)(\[=+> +\] )? *50%.*$/);
    go();
    t.equal(await pty.ended(), 0);
    t.match(pty.shown, /\r␛\[Ktwo\r\n/, 'it is not in the way of output');
    const last = pty.shown.slice(pty.shown.lastIndexOf('␛[K') + 3);
    t.match(last, /^\{\r\n {2}"ok": true\r\n\}\r\n$/, 'the result stands where the bar was');
  },
);

t.test('Ctrl-C cancels the call, and no bar is left', { skip }, async (t) => {
  const { env } = await started(t);
  const pty = new Pty(t, ['invoke', 'half', '{}'], { env });
  await pty.until(/50%/);
  pty.type('\u0003');
  t.equal(await pty.ended(), 1);
  t.match(pty.shown.slice(pty.shown.lastIndexOf('%')), /\r␛\[KECANCELED: .*\r\n$/);
});

t.test('there is no bar in a pipe, at a dumb terminal, or with --quiet', { skip }, async (t) => {
  const { env, go } = await started(t);
  go();
  const piped = await acheron(['invoke', 'half', '{}'], { env });
  t.same([piped.stderr, piped.status], ['one\ntwo\n', 0]);
  const dumb = new Pty(t, ['invoke', 'half', '{}'], { env: { ...env, TERM: 'dumb' } });
  t.equal(await dumb.ended(), 0);
  t.notMatch(dumb.shown, /␛|%/);
  const quiet = new Pty(t, ['invoke', '--quiet', 'half', '{}'], { env });
  t.equal(await quiet.ended(), 0);
  t.equal(quiet.written, '{\r\n  "ok": true\r\n}\r\n');
});

t.test('wait shows the bar of the job that it waits for', { skip }, async (t) => {
  const { env, go } = await started(t);
  const call = acheron(['invoke', 'half', '{}', '--key', 'k'], { env });
  let pty = new Pty(t, ['wait', '/nodes/local/services/half/jobs/by-key/k'], { env });
  while (
    (await Promise.race([pty.until(/50%/).then(() => 'shown'), pty.ended().then(() => 'too early')])) !==
    'shown'
  )
    pty = new Pty(t, ['wait', '/nodes/local/services/half/jobs/by-key/k'], { env });
  go();
  t.equal(await pty.ended(), 0);
  t.match(pty.shown.slice(pty.shown.lastIndexOf('%')), /\r␛\[K\{\r\n {2}"ok": true\r\n\}\r\n$/);
  t.equal((await call).status, 0);
});

const said = (
  done: number | null,
  total: number | null,
  message: string | null = null,
  seconds = 0,
): Parameters<typeof progressText>[0] => ({
  done,
  total,
  message,
  updated_at: new Date(1e12 + seconds * 1000).toISOString(),
});

t.test(
  'a line of progress has its share, its message and the time that is left, as far as they fit',
  async (t) => {
    const since = { done: 0, atMs: 1e12 };
    t.equal(progressText(said(null, null), null, 80), '');
    t.equal(progressText(said(5, 10), null, 30), `${barText(0.5, 23)}  50%`);
    t.match(progressText(said(5, 10, 'half', 5), since, 80), /^\[=+> +\] {2}50% {2}half {2}0:05 left$/);
    t.match(progressText(said(10, 10, 'ready', 5), since, 80), /^\[=+\] 100% {2}ready$/);
    t.match(progressText(said(20, 10), null, 80), /^\[=+\] 100%$/, 'never more than all');
    t.equal(progressText(said(30, null, 'lines', 10), since, 80), '30 (3/s)  lines');
    t.equal(progressText(said(1, 1e6, null, 10), since, 80).includes('left'), true);
    for (const columns of [0, 1, 5, 10, 20, 40, 80, 300])
      for (const message of [null, 'x'.repeat(200), '漢字'.repeat(100), '👩‍👩‍👧'.repeat(40)]) {
        const width = widthOf(progressText(said(3, 7, message, 4), since, columns));
        t.ok(width <= Math.max(columns, 0), `${width} of ${columns}`);
      }
  },
);

t.test('a bar is as wide as it should be, however much is done', async (t) => {
  for (const part of [0, 0.01, 0.5, 0.99, 1]) t.equal(barText(part, 10).length, 12, `${part}`);
  t.equal(barText(1, 4), '[====]');
  t.equal(barText(0, 4), '[    ]');
  t.equal(barText(0.5, 4), '[=>  ]');
});

t.test('text is cut by the columns that it takes', async (t) => {
  t.equal(fitted('漢字漢字', 5), '漢字…');
  t.equal(fitted('漢字', 4), '漢字');
  t.equal(fitted('abc', 2), 'a…');
  t.equal(fitted('abc', 0), '');
  t.equal(widthOf('e\u0301'), 1);
});
