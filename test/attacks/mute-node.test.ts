import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { Program, shell } from '../support/plane-processes.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { temporaryDir } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';
import { answersFrom, HostileNode, type Answering, type Asked } from './fixtures/hostile-node.js';

/** The longest that the first reader may be stuck, and each after it: less than the first, on a loaded machine too. */
const FIRST_MS = 6000;
const NEXT_MS = 1500;
const FILE = 'nodes/n2/fs/f';
const HONEST = answersFrom({
  1: { kind: 'dir', entries: { fs: 2 } },
  2: { kind: 'dir', entries: { f: 3, g: 4 } },
  3: { kind: 'file', text: 'here\n', more: { freshness: 'live' } },
  4: { kind: 'file', text: 'here too\n', more: { freshness: 'live' } },
});
const SILENT: Answering = () => 'no answer';

const isRoot = ({ what, node }: Asked): boolean => what === 'getattr' && node === 1;

interface Scene {
  readonly under: PlaneWithNode;
  readonly hostile: HostileNode;
  readonly files: RawClient;
  /** The number of its live file. */
  readonly file: number;
}

/** A node that was honest up to now. It is heard all the time: it answers pings, and says that something changed. */
async function scene(t: Test): Promise<Scene> {
  const under = await PlaneWithNode.start(t, 'here', []);
  const hostile = await HostileNode.join(t, {
    url: under.plane.url,
    invite: under.plane.control.store.pairing.createInvite(60_000).token,
    nodeName: 'n2',
    answering: HONEST,
  });
  const chatter = setInterval(() => hostile.push('e_fs_inval', { node: 1, what: 'attr' }), 100);
  t.teardown(() => clearInterval(chatter));
  const { files } = await under.session({ token: under.token('admin') });
  await until(async () => (await lookup(files, FILE)).ok === true, 'the tunnel');
  const file = (await lookup(files, FILE)).payload['node'] as number;
  return { under, hostile, files, file };
}

const lookup = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

/** Opens it, reads it and closes it: the text, or the errno. */
async function read(files: RawClient, node: number): Promise<string | number> {
  const opened = await files.ask('t_fs_open', { node }, { mode: 'r' });
  if (opened.ok !== true) return opened.error['errno'] as number;
  const { handle: h } = opened.payload;
  const { ok, payload, error } = await files.ask('t_fs_read', { h }, { offset: 0, count: 100 });
  await files.ask('t_fs_close', { h });
  return ok === true
    ? Buffer.from(payload['data_b64'] as string, 'base64').toString()
    : (error['errno'] as number);
}

t.test('of a node that answers pings alone, one read fails in time and all others at once', async (t) => {
  const { under, hostile, files, file } = await scene(t);
  hostile.answering = SILENT;
  const first = await waited(() => read(files, file));
  t.equal(first.answer, 112);
  t.ok(first.ms < FIRST_MS, `the first took ${first.ms} ms`);
  const asked = hostile.asked.length;
  const startedMs = performance.now();
  const other = (await under.session({ token: under.token('user') })).files;
  for (let n = 0; performance.now() - startedMs < 3000; n++) {
    for (const path of [FILE, 'nodes/n2/fs/g']) {
      const next = await waited(() => lookup(n % 2 === 0 ? files : other, path));
      t.ok(next.ms < NEXT_MS, `a lookup took ${next.ms} ms`);
    }
    const next = await waited(() => read(files, file));
    t.equal(next.answer, 112);
    t.ok(next.ms < NEXT_MS, `a read took ${next.ms} ms`);
    for (const dir of ['nodes', 'nodes/n2', 'nodes/n2/services']) {
      const listed = await waited(async () => {
        const { node } = (await lookup(files, dir)).payload;
        return files.ask('t_fs_readdirp', { node }, { plus: true });
      });
      t.equal(listed.answer.ok, true, dir);
      t.ok(listed.ms < NEXT_MS, `a listing of ${dir} took ${listed.ms} ms`);
    }
    await sleep(100);
  }
  const since = hostile.asked.slice(asked).filter(({ tag }) => tag !== undefined);
  t.ok(since.length > 0 && since.length < 6, 'it is asked now and then');
  t.ok(since.every(isRoot), 'and for nothing but a sign');
});

t.test('a mount shows of it what is known, and waits for it once', async (t) => {
  const { under, hostile } = await scene(t);
  const dir = mountDirFor(t);
  const tokenFile = join(temporaryDir(t), 'token');
  writeFileSync(tokenFile, under.token('admin'), { mode: 0o600 });
  const as = ['--control-url', under.plane.url, '--token-file', tokenFile];
  const mount = new Program(t, ['mount', dir, ...as, '--state-dir', join(dir, '..', 'state')]);
  await mount.says(/Mounted on/);
  t.equal((await shell(`cat ${dir}/${FILE}`)).stdout, 'here\n');
  hostile.answering = SILENT;
  const first = await waited(() => shell(`cat ${dir}/${FILE}`));
  t.match(first.answer.stderr, /Host is down/);
  t.ok(first.ms < FIRST_MS, `the first took ${first.ms} ms`);
  for (let n = 0; n < 3; n++) {
    const next = await waited(() => shell(`cat ${dir}/${FILE}; ls ${dir}/nodes ${dir}/nodes/n2`));
    t.match(next.answer.stdout, /NODE\.json/);
    t.ok(next.ms < NEXT_MS, `it took ${next.ms} ms`);
  }
});

t.test('a call says within 5 s that its outcome is unknown, though its node answers pings', async (t) => {
  const { hostile, files, file } = await scene(t);
  const { handle: h } = (await files.ask('t_fs_open', { node: file }, { mode: 'rw' })).payload;
  hostile.answering = SILENT;
  const call = await waited(() => files.ask('t_fs_write', { h }, { offset: 0, data_b64: 'e30K' }));
  t.match(call.answer, { error: { errno: 112, message: /not known/ } });
  t.ok(call.ms < 8000, `it took ${call.ms} ms`);
  t.equal(hostile.asked.filter(({ what }) => what === 'write').length, 1, 'and it is sent once');
});

t.test('once it answers again, everything of it is there', async (t) => {
  const { hostile, files, file } = await scene(t);
  for (let n = 0; n < 2; n++) {
    hostile.answering = SILENT;
    t.equal(await read(files, file), 112);
    hostile.answering = HONEST;
    const back = await waited(() => until(async () => (await read(files, file)) === 'here\n', 'its file'));
    t.ok(back.ms < FIRST_MS, `it took ${back.ms} ms`);
  }
});

t.test('a node that is slow and has 64 callers is not taken for one', async (t) => {
  const { hostile, under } = await scene(t);
  const slowMs = 4000;
  const before = hostile.asked.length;
  hostile.answering = async (asked) => {
    if (!isRoot(asked)) await sleep(slowMs);
    return HONEST(asked);
  };
  const { files } = await under.session({ token: under.token('admin') });
  const reads = await Promise.all(
    Array.from({ length: 64 }, () =>
      lookup(files, FILE).then(({ payload, error }) => error?.['errno'] ?? payload['kind']),
    ),
  );
  t.same(new Set(reads), new Set(['file']));
  t.ok(hostile.asked.slice(before).some(isRoot), 'it was asked for a sign');
  const startMs = performance.now();
  t.equal((await lookup(files, 'nodes/n2/fs/g')).ok, true);
  t.ok(performance.now() - startMs >= slowMs - 100, 'and is asked on');
});
