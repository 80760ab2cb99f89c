import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FileHandle } from '../../lib/vfs/index.js';
import {
  ADMIN,
  OTHER_USER,
  READ,
  TestNode,
  USER,
  errnoOf,
  readAll,
  shellManifest,
} from '../support/test-node.js';

const NOTHING_YET = { done: null, total: null, message: null, updated_at: null };

interface Shown {
  readonly done: number | null;
  readonly total: number | null;
  readonly message: string | null;
  readonly updated_at: string | null;
}

/** Says how far it is, then waits until the test makes the file, says it again, and ends. */
const STEPS = `
echo '::progress {"done": 1, "total": 3, "message": "begun"}' >&2
until [ -e "$DIR/go" ]; do sleep 0.01; done
echo '::progress {"done": 3, "total": 3, "message": "ready"}' >&2`;

async function startSteps(t: Parameters<typeof TestNode.start>[0], script = STEPS): Promise<TestNode> {
  // The folder is known once the node has started: the script finds it beside its manifest.
  const more = { runtime: { env: { DIR: '..' } } };
  return TestNode.start(t, [shellManifest('steps', script, more)]);
}

const go = (node: TestNode): void => writeFileSync(join(node.dir, 'go'), '');

/** A file of the newest job. */
async function inJob(node: TestNode, service: string, file: string, session = ADMIN): Promise<string> {
  const names = await node.names(node.path(service, 'jobs'), session);
  const id = names.filter((name) => name !== 'latest' && name !== 'by-key').at(-1) ?? 'none yet';
  return node.path(service, `jobs/${id}/${file}`);
}

/** Looks until the job has said how far it is. */
async function begun(node: TestNode, session = ADMIN): Promise<Shown> {
  const path = await inJob(node, 'steps', 'progress.json', session);
  let shown: Shown = NOTHING_YET;
  while (shown.done === null) {
    await new Promise(setImmediate);
    shown = await node.json<Shown>(path, session);
  }
  return shown;
}

t.test('progress is in progress.json and in both status.json, while a job runs and after it', async (t) => {
  const node = await startSteps(t);
  await node.write(node.path('steps', 'control/submit.json'), '{}');
  const first = await begun(node);
  t.match(first, { done: 1, total: 3, message: 'begun', updated_at: /^\d{4}-.*Z$/ });
  for (const path of [node.path('steps', 'status.json'), await inJob(node, 'steps', 'status.json')])
    t.match(await node.json(path), { state: 'running', progress: first }, path);
  t.equal(await node.read(await inJob(node, 'steps', 'stderr')), '', 'it is no part of stderr');
  go(node);
  await node.write(await inJob(node, 'steps', 'wait'), '20');
  const last = await node.json(await inJob(node, 'steps', 'progress.json'));
  t.match(last, { done: 3, total: 3, message: 'ready' });
  for (const path of [node.path('steps', 'status.json'), await inJob(node, 'steps', 'status.json')])
    t.match(await node.json(path), { state: 'ok', progress: last }, path);
  t.ok((await node.names(await inJob(node, 'steps', ''))).includes('progress.json'));
});

t.test('the last progress of a job that ended is there after a restart', async (t) => {
  const node = await startSteps(t);
  go(node);
  await node.write(node.path('steps', 'control/invoke.json'), '{"_key":"k"}');
  const before = await node.json(await inJob(node, 'steps', 'progress.json'));
  t.match(before, { done: 3, total: 3, message: 'ready' });
  await node.restart();
  t.same(await node.json(await inJob(node, 'steps', 'progress.json')), before);
  t.match(await node.json(node.path('steps', 'status.json')), { state: 'ok', progress: before });
});

t.test('a job whose driver says nothing has a progress.json of nulls, and none in status.json', async (t) => {
  const node = await TestNode.start(t, [shellManifest('cat', 'cat')]);
  t.match(await node.json(node.path('cat', 'status.json')), { state: 'idle', progress: null });
  await node.write(node.path('cat', 'control/invoke.json'), '{}');
  t.same(await node.json(await inJob(node, 'cat', 'progress.json')), NOTHING_YET);
  t.match(await node.json(node.path('cat', 'status.json')), { state: 'ok', progress: null });
});

t.test("nobody but a job's caller and admins sees its progress", async (t) => {
  const node = await startSteps(t);
  await node.write(node.path('steps', 'control/submit.json'), '{}', USER);
  const shown = await begun(node, USER);
  const { invocation_id: id } = await node.json<{ invocation_id: string }>(
    node.path('steps', 'status.json'),
    USER,
  );
  const path = node.path('steps', `jobs/${id}/progress.json`);
  t.same(await node.json(path, ADMIN), shown);
  t.equal(await errnoOf(() => node.read(path, OTHER_USER)), 'ENOENT');
  t.match(await node.json(node.path('steps', 'status.json'), OTHER_USER), { state: 'idle', progress: null });
  const handle = await node.open(path, READ, USER);
  t.equal(await errnoOf(() => handle.awaitChange?.(0, node.op(OTHER_USER))), 'ENOENT');
  await handle.release();
  go(node);
  await node.write(node.path('steps', `jobs/${id}/wait`), '20', USER);
});

/** All that a stream gets, each time that there is more of it; and how often there was. */
async function followed(node: TestNode, handle: FileHandle): Promise<{ text: string; looks: number }> {
  let text = '';
  let looks = 0;
  do {
    text += await readAll(handle, node.op(), text.length);
    looks++;
  } while (await handle.awaitChange?.(text.length, node.op()));
  return { text: text + (await readAll(handle, node.op(), text.length)), looks };
}

t.test('who waits on an open stream hears of each growth, and when there will be none', async (t) => {
  const script = `for i in 1 2 3; do echo "line $i" >&2; until [ -e "$DIR/go" ]; do sleep 0.01; done; done`;
  const node = await startSteps(t, script);
  await node.write(node.path('steps', 'control/submit.json'), '{}');
  const handle = await node.open(await inJob(node, 'steps', 'stderr'), READ);
  t.equal(await handle.awaitChange?.(0, node.op()), true);
  const text = await readAll(handle, node.op());
  t.equal(text, 'line 1\n');
  let isOver = false;
  const more = handle.awaitChange?.(text.length, node.op()).finally(() => (isOver = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.notOk(isOver, 'nothing is new');
  go(node);
  t.equal(await more, true);
  t.equal((await followed(node, handle)).text, 'line 1\nline 2\nline 3\n');
  t.equal(await handle.awaitChange?.(1000, node.op()), false, 'it has ended');
  await handle.release();
});

t.test('who waits on an open document hears that it says something else now', async (t) => {
  const node = await startSteps(t);
  await node.write(node.path('steps', 'control/submit.json'), '{}');
  await begun(node);
  const path = await inJob(node, 'steps', 'progress.json');
  const handle = await node.open(path, READ);
  const changed = handle.awaitChange?.(0, node.op());
  go(node);
  t.equal(await changed, true);
  t.match(JSON.parse(await readAll(handle, node.op())), { done: 1 }, 'one open, one document');
  await handle.release();
  const ended = await node.open(await inJob(node, 'steps', 'status.json'), READ);
  while (await ended.awaitChange?.(0, node.op()))
    if (/"ok"/.test(await node.read(node.path('steps', 'status.json')))) break;
  await ended.release();
  const last = await node.open(path, READ);
  t.equal(await last.awaitChange?.(0, node.op()), false, 'it will say nothing else');
  await last.release();
});

t.test('who gives up waiting is let go', async (t) => {
  const node = await startSteps(t);
  await node.write(node.path('steps', 'control/submit.json'), '{}');
  const handle = await node.open(await inJob(node, 'steps', 'stderr'), READ);
  const caller = new AbortController();
  const waiting = errnoOf(() => handle.awaitChange?.(0, node.op(ADMIN, caller.signal)));
  caller.abort();
  t.equal(await waiting, 'ECANCELED');
  t.equal(
    await errnoOf(() => handle.awaitChange?.(0, node.op(ADMIN, caller.signal))),
    'ECANCELED',
    'at once',
  );
  await handle.release();
  go(node);
  await node.write(await inJob(node, 'steps', 'wait'), '20');
});

t.test(
  'a flood of 100,000 progress lines costs little, is not written down, and ends with its last',
  async (t) => {
    const script = `awk 'BEGIN {
    for (i = 1; i <= 100000; i++) print "::progress {\\"done\\": " i ", \\"total\\": 100000, \\"message\\": \\"step\\"}"
  }' >&2; echo said >&2`;
    const node = await TestNode.start(t, [
      shellManifest('flood', script, { runtime: { timeout_ms: 60_000 } }),
    ]);
    await node.write(node.path('flood', 'control/submit.json'), '{}');
    const handle = await node.open(await inJob(node, 'flood', 'progress.json'), READ);
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    let changes = 0;
    for (let open: FileHandle = handle; await open.awaitChange?.(0, node.op()); changes++) {
      await open.release();
      open = await node.open(await inJob(node, 'flood', 'progress.json'), READ);
    }
    const tenths = (performance.now() - startedAt) / 100;
    const { user, system } = process.cpuUsage(cpu);
    t.ok(changes <= tenths + 3, `${changes} changes in ${tenths.toFixed(1)} tenths of a second`);
    t.ok((user + system) / 1000 < 5000, `${(user + system) / 1000} ms of the processor`);
    t.comment(`100,000 lines: ${Math.round((user + system) / 1000)} ms of this process's processor time`);
    t.match(await node.json(await inJob(node, 'flood', 'progress.json')), { done: 100_000 });
    t.equal(await node.read(await inJob(node, 'flood', 'stderr')), 'said\n');
  },
);
