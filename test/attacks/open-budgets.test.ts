import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { OpenBudget } from '../../lib/tunnel/server/open-budget.js';
import { walk, type FileHandle, type Op } from '../../lib/vfs/index.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { READ, READ_WRITE as WRITE, shellManifest, TestNode } from '../support/test-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';

const MB = 1024 * 1024;
const CAT = shellManifest('cat', 'cat', { runtime: { max_payload_bytes: 2 * MB } });
const op = (): Op => ({ session: localSession('admin'), signal: new AbortController().signal });

async function openAt(node: TestNode, path: string, flags: typeof READ): Promise<FileHandle> {
  const file = await walk(node.node.dir, path, op());
  if (file.kind !== 'file') throw new Error(`${path} is no file.`);
  return file.open(flags, op());
}

const codeOf = (thrown: unknown): string => FsError.from(thrown).code;

t.test('however often a job is opened, its request and result are in memory once', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  const call = await openAt(node, '/services/cat/control/invoke.json', WRITE);
  await call.write(0, Buffer.from(JSON.stringify({ text: 'x'.repeat(MB) })), op());
  await call.release();
  const jobs = await walk(node.node.dir, '/services/cat/jobs', op());
  const id = jobs.kind === 'dir' ? (await jobs.list(op())).find(({ kind }) => kind === 'dir')?.name : '';
  const before = process.memoryUsage().arrayBuffers;
  const opened: FileHandle[] = [];
  for (const name of ['request.json', 'result.json'])
    for (let i = 0; i < 200; i++) opened.push(await openAt(node, `/services/cat/jobs/${id}/${name}`, READ));
  const held = process.memoryUsage().arrayBuffers - before;
  t.ok(held < 40 * MB, `400 descriptors hold ${Math.round(held / MB)} MiB`);
  t.equal(new Set(opened.map(({ holds }) => holds)).size, 2);
  for (const handle of opened) await handle.release();
});

t.test('requests that are not complete have a budget, and those of another are not in its way', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  const part = Buffer.from(`{"text":"${'x'.repeat(2 * MB - 100)}`);
  const opened: FileHandle[] = [];
  let refused: unknown;
  while (refused === undefined && opened.length < 200) {
    const handle = await openAt(node, '/services/cat/control/invoke.json', WRITE);
    opened.push(handle);
    try {
      await handle.write(0, part, op());
    } catch (thrown) {
      refused = thrown;
    }
  }
  t.equal(codeOf(refused), 'EBUSY');
  t.ok(opened.length < 70, `${opened.length} descriptors`);
  const other: Op = { ...op(), session: { ...localSession('user'), id: 'other', agentId: 'other' } };
  const file = await walk(node.node.dir, '/services/cat/control/invoke.json', op());
  if (file.kind === 'file') {
    const handle = await file.open(WRITE, op());
    await t.rejects(async () => handle.write(0, part, op()), { code: 'EBUSY' });
    await handle.release();
    const theirs = await Promise.resolve(file.open(WRITE, other)).catch(() => undefined);
    if (theirs !== undefined) {
      t.equal(await theirs.write(0, Buffer.from('{}\n'), other), 3);
      await theirs.release();
    }
  }
  for (const handle of opened) await handle.release();
  const after = await openAt(node, '/services/cat/control/invoke.json', WRITE);
  t.equal(await after.write(0, Buffer.from('{}\n'), op()), 3, 'what was closed counts no longer');
  await after.release();
});

t.test('a principal has so many descriptors and so much content open, over all of its sessions', (t) => {
  const budget = new OpenBudget({ handles: 3, bytes: 100 });
  const shared = new Uint8Array(60);
  const one = budget.take('a', shared);
  const two = budget.take('a', shared);
  t.throws(() => budget.take('a', new Uint8Array(60)), { code: 'EMFILE' });
  t.doesNotThrow(() => budget.take('b', new Uint8Array(60))());
  const three = budget.take('a', undefined);
  t.throws(() => budget.take('a', undefined), { code: 'EMFILE' });
  one();
  one();
  two();
  t.doesNotThrow(() => budget.take('a', new Uint8Array(60))());
  three();
  t.end();
});

t.test('many who open one large document at once do not cut the tunnel of all', async (t) => {
  const under = await PlaneWithNode.start(t, 'through a tunnel', [CAT]);
  const { files } = await under.session({ token: under.token('admin') });
  const find = async (path: string): Promise<unknown> =>
    (await files.ask('t_fs_lookup', { node: 1 }, { path: `nodes/n1/services/cat/${path}` })).payload['node'];
  const opened = await files.ask('t_fs_open', { node: await find('control/invoke.json') }, { mode: 'rw' });
  const data_b64 = Buffer.from(JSON.stringify({ text: 'x'.repeat(MB) })).toString('base64');
  const wrote = await files.ask('t_fs_write', { h: opened.payload['handle'] }, { offset: 0, data_b64 });
  t.match(wrote, { ok: true });
  const job = (await files.ask('t_fs_readdirp', { node: await find('jobs') }, {})).payload['entries'];
  const [{ name }] = job as [{ name: string }];
  const node = await find(`jobs/${name}/result.json`);
  const ask = (client: RawClient): Promise<RawFrame> =>
    client.ask('t_fs_open', { node }, { mode: 'r', inline: 65_536 });
  const answers = await Promise.all(Array.from({ length: 800 }, () => ask(files)));
  t.equal(answers.filter((answer) => answer['ok'] === true).length, 800);
  t.match(await files.ask('t_fs_getattr', { node }), { ok: true });
});
