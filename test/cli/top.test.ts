import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { keysIn } from '../../lib/cli/top/full-screen.js';
import { arranged, type ServiceRow } from '../../lib/cli/top/service-table.js';
import { topLines, type TopState } from '../../lib/cli/top/top-view.js';
import { widthOf } from '../../lib/cli/text-width.js';
import { acheron, Up } from '../support/acheron.js';
import { Pty } from '../support/pty.js';
import { lacks } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

const skip = lacks('python3');
t.setTimeout(180_000);

/** Says that it is half done, prints, and goes on once the file is there. */
const HALF = `
echo '::progress {"done": 5, "total": 10, "message": "half way"}' >&2
echo 'words of half' >&2
until [ -e "$DIR/go" ]; do sleep 0.02; done`;

async function started(t: Test): Promise<{ env: NodeJS.ProcessEnv; go: () => void; manifests: string }> {
  const dir = t.testdir();
  const more = { runtime: { timeout_ms: 100_000, env: { DIR: dir } } };
  const manifests = [
    shellManifest('half', HALF, more),
    shellManifest('cat', 'cat'),
    shellManifest('fails', 'exit 1'),
  ];
  const up = await Up.start(t, { manifests });
  return {
    env: { ACHERON_STATE_DIR: up.stateDir },
    go: () => writeFileSync(join(dir, 'go'), ''),
    manifests: up.manifests,
  };
}

/** What a terminal shows that got this: the lines that `acheron top` wrote last. */
function screenOf(written: string): string[] {
  const lines: string[] = [];
  for (const part of written.slice(written.lastIndexOf('␛[2J') + 4).split(/(?=␛\[\d+;1H)/)) {
    const [, row, text = ''] = /^␛\[(\d+);1H([^]*)$/.exec(part) ?? [];
    if (row !== undefined) lines[Number(row) - 1] = text.replace(/␛\[[0-9;?]*[A-Za-z]/g, '');
  }
  return Array.from(lines, (line) => line.trimEnd());
}

/** Waits until the screen shows this. */
async function shows(pty: Pty, what: RegExp): Promise<void> {
  await pty.when(() => screenOf(pty.shown).some((line) => what.test(line)), String(what));
}

t.test(
  'top shows services, calls that run with their bars, and their output; cancels one; gives the terminal back',
  { skip },
  async (t) => {
    const { env } = await started(t);
    const call = acheron(['invoke', 'half', '{}'], { env });
    await acheron(['invoke', 'cat', '{}'], { env });
    const pty = new Pty(t, ['top'], { env, rows: 20, columns: 100 });
    await shows(pty, /^half +local +online +1 .* 1 +0$/);
    await shows(pty, /^cat +local +online +1 +\d/);
    await shows(pty, /^local\/half .*\[=+> +\] +50% +half way/);
    pty.type('\t');
    pty.type('\r');
    await shows(pty, /^words of half$/);
    t.match(screenOf(pty.shown)[0], /^local\/half .* runs\. Any key goes back\.$/);
    pty.type(' ');
    await shows(pty, /^CALLS THAT RUN/);
    pty.type('c');
    await shows(pty, /^Cancel the call .* of half\? y, n$/);
    pty.type('y');
    t.equal((await call).status, 1);
    await pty.when(() => !screenOf(pty.shown).some((line) => line.startsWith('CALLS')), 'the call is gone');
    pty.type('q');
    t.equal(await pty.ended(), 0);
    t.match(pty.shown, /␛\[\?25h␛\[\?1049l$/, 'as it was');
  },
);

t.test('keys sort, filter and help; another size is drawn anew', { skip }, async (t) => {
  const { env } = await started(t);
  await acheron(['invoke', 'cat', '{}'], { env });
  const pty = new Pty(t, ['top'], { env, rows: 20, columns: 100 });
  await shows(pty, /^half +local +online/);
  const names = (): string[] =>
    screenOf(pty.shown).flatMap((line) => /^(cat|fails|half) /.exec(line)?.[1] ?? []);
  t.same(names(), ['cat', 'fails', 'half']);
  pty.type('r');
  await pty.when(() => names().join() === 'half,fails,cat', 'the other way round');
  pty.type('sss');
  await shows(pty, /CALLSv/);
  await pty.when(() => names()[0] === 'cat', 'most calls first');
  pty.type('/fai');
  await shows(pty, /^Filter: fai_$/);
  await pty.when(() => names().join() === 'fails', 'one is left');
  pty.type('\r?');
  await shows(pty, /up, down, page up/);
  pty.type(' ');
  pty.resize(10, 60);
  await pty.when(() => {
    const screen = screenOf(pty.shown);
    return screen.length === 10 && names().join() === 'fails' && screen.every((line) => line.length <= 60);
  }, 'a smaller screen');
  pty.type('\u0003');
  t.equal(await pty.ended(), 0);
});

t.test('a service that comes is shown, and one that goes is not', { skip }, async (t) => {
  const { env, manifests } = await started(t);
  const pty = new Pty(t, ['top'], { env });
  await shows(pty, /^half +local +online/);
  writeFileSync(join(manifests, 'more.json'), JSON.stringify(shellManifest('more', 'cat')));
  rmSync(join(manifests, 'cat.json'));
  await shows(pty, /^more +local +online/);
  await pty.when(() => !screenOf(pty.shown).some((line) => line.startsWith('cat ')), 'cat is gone');
  pty.type('q');
  t.equal(await pty.ended(), 0);
});

t.test('the terminal is given back when a signal ends top', { skip }, async (t) => {
  const { env } = await started(t);
  for (const signal of [15, 2, 1]) {
    const pty = new Pty(t, ['top'], { env });
    await shows(pty, /^half/);
    pty.signal(signal);
    await pty.ended();
    t.match(pty.shown, /␛\[\?25h␛\[\?1049l$/, `signal ${signal}`);
  }
});

t.test('without a terminal top prints one table, or a document', { skip }, async (t) => {
  const { env, go } = await started(t);
  const call = acheron(['invoke', 'half', '{}'], { env });
  for (let ran = ''; !ran.includes('half way');) ran = (await acheron(['top'], { env })).stdout;
  const table = await acheron(['top', '--filter', 'half'], { env });
  t.equal(table.status, 0);
  t.match(
    table.stdout,
    /^SERVICE +NODE +HEALTH.*\nhalf +local +online +1 .*\nJOB .*\n\S+ +local\/half +\S+ +5 +10 +half way\n$/,
  );
  const { services, jobs } = JSON.parse((await acheron(['top', '--json'], { env })).stdout) as Record<
    string,
    object[]
  >;
  t.match(services, [
    { service_id: 'cat' },
    { service_id: 'fails' },
    { service_id: 'half', health: 'online', running: 1 },
  ]);
  t.match(jobs, [{ service_id: 'half', progress: { done: 5, total: 10, message: 'half way' } }]);
  const none = await acheron(['top'], { env: { ACHERON_STATE_DIR: '/nonexistent' } });
  t.equal(none.status, 1);
  go();
  await call;
});

const row = (service: string, facts: Partial<ServiceRow> = {}): ServiceRow => ({
  ...{
    node: 'n1',
    service,
    path: `/nodes/n1/services/${service}`,
    health: 'online',
    calls: 0,
    perSecond: null,
  },
  ...{ p50: null, p95: null, failures: 0, running: 0, queued: 0 },
  ...facts,
});

t.test('what others named cannot act on the terminal, and no line is wider than it', async (t) => {
  const hostile = '\u001b[2J\u0007漢字漢字漢字漢字漢字漢字\u202e'.repeat(4);
  const all = [row(hostile, { node: hostile, health: hostile })];
  const progress = { done: 1, total: 2, message: hostile, updated_at: null };
  const jobs = [{ id: '01', service: all[0]!, path: '', by: hostile, progress }];
  const state: TopState = {
    ...{ all, rows: all, jobs, first: 0, pane: 'jobs', chosen: 0, column: 0, isDescending: false },
    ...{ filter: hostile, prompt: null },
  };
  for (const columns of [20, 60, 80, 200])
    for (const rows of [3, 10, 40]) {
      const lines = topLines(state, rows, columns);
      t.ok(lines.length <= rows);
      for (const line of lines) {
        const text = line.replaceAll('\u001b[1m', '').replaceAll('\u001b[7m', '');
        t.notMatch(text, /\p{Cc}|\u202e/u);
        t.ok(widthOf(text) <= columns, `${widthOf(text)} of ${columns}`);
      }
    }
});

t.test('50,000 services are filtered and sorted in no time', async (t) => {
  const rows = Array.from({ length: 50_000 }, (_, i) => row(`s${i}`, { calls: (i * 7919) % 50_000 }));
  const before = process.cpuUsage();
  const sorted = arranged(rows, { filter: 's', column: 3, isDescending: true });
  const tookMs = process.cpuUsage(before).user / 1000;
  t.equal(sorted.length, 50_000);
  t.equal(sorted[0]?.calls, 49_999);
  t.ok(tookMs < 2000, `${tookMs} ms of the processor, whatever else runs`);
});

t.test('keys are known by what they send', async (t) => {
  t.same(keysIn('a\u001b[A\u001b[6~\u001b\r\u0003\u001b[1;5Dé'), [
    'a',
    'up',
    'page down',
    'escape',
    'enter',
    'ctrl-c',
    'é',
  ]);
});
