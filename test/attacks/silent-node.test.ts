import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { Program, shell } from '../support/plane-processes.js';

import { temporaryDir } from '../support/test-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';
import { answersFrom, HostileNode, type Answering } from './fixtures/hostile-node.js';

const ECHO = {
  service_id: 'tool',
  kind: 'tool',
  mounts: [{ mount_id: 'tool', mount_path: '/nodes/n2/tool' }],
  permissions: { allow_roles: ['admin', 'user'] },
  runtime: { type: 'native_proc', executable_path: '/bin/cat' },
};
/** The longest that a read may be stuck. */
const STUCK_MS = 6000;
const HONEST = answersFrom({
  1: { kind: 'dir', entries: { fs: 2 } },
  2: { kind: 'dir', entries: { f: 3 } },
  3: { kind: 'file', text: 'here\n', more: { freshness: 'live' } },
});
const SILENT: Answering = () => 'no answer';

async function planeWith(
  t: Test,
  answering: Answering,
): Promise<{ hostile: HostileNode; under: PlaneWithNode }> {
  const under = await PlaneWithNode.start(t, 'here', []);
  const hostile = await HostileNode.join(t, {
    url: under.plane.url,
    invite: under.plane.control.store.pairing.createInvite(60_000).token,
    nodeName: 'n2',
    services: [ECHO],
    answering,
  });
  await until(() => hostile.asked.length > 0 || hostile.tunnel.closed === undefined, 'the tunnel');
  return { hostile, under };
}

async function timed(asking: Promise<RawFrame>): Promise<{ frame: RawFrame; ms: number }> {
  const { answer: frame, ms } = await waited(() => asking);
  return { frame, ms };
}

const lookup = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

/** The number of the honest node's live file, once its tunnel is there. */
async function fileOf(files: RawClient): Promise<unknown> {
  await until(async () => (await lookup(files, 'nodes/n2/fs/f')).ok === true, 'the tunnel');
  return (await lookup(files, 'nodes/n2/fs/f')).payload['node'];
}

t.test('a node that answers pings alone does not hold up a listing of the nodes', async (t) => {
  const { under } = await planeWith(t, SILENT);
  const { files } = await under.session({ token: under.token('admin') });
  const nodes = (await lookup(files, 'nodes')).payload['node'];
  const listed = await timed(files.ask('t_fs_readdirp', { node: nodes }, { plus: true }));
  t.match(listed.frame.payload['entries'], [
    { name: 'n1' },
    { name: 'n2' },
    { name: 'INDEX.tsv' },
    { name: 'NODES.json' },
  ]);
  t.ok(listed.ms < 1500, `a listing of the nodes took ${listed.ms} ms`);
  const index = await timed(lookup(files, 'nodes/NODES.json'));
  t.match(index.frame, { ok: true });
  const exports = await timed(files.ask('t_fs_exports'));
  t.match(exports.frame, { ok: true });
  t.ok(exports.ms < STUCK_MS, `the exports took ${exports.ms} ms`);
  await until(async () => {
    const found = await timed(lookup(files, 'nodes/n2/services/tool/SCHEMA.json'));
    if (found.ms > STUCK_MS) throw new Error(`a lookup took ${found.ms} ms`);
    return found.frame.ok === true;
  }, 'the catalog in place of the node');
});

t.test('what the catalog says of such a node is read without asking it, through a mount too', async (t) => {
  const { hostile, under } = await planeWith(t, SILENT);
  const dir = mountDirFor(t);
  const tokenFile = join(temporaryDir(t), 'token');
  writeFileSync(tokenFile, under.token('user'), { mode: 0o600 });
  const as = ['--control-url', under.plane.url, '--token-file', tokenFile];
  const mount = new Program(t, ['mount', dir, ...as, '--state-dir', join(dir, '..', 'state')]);
  await mount.says(/Mounted on/);
  const before = hostile.asked.length;
  const run = async (command: string): Promise<string> => {
    const { answer, ms } = await waited(() => shell(`cd ${dir}/nodes && ${command}`));
    const { stdout, stderr } = answer;
    t.ok(ms < 1500, `${command} took ${ms} ms`);
    t.equal(stderr, '', command);
    return stdout;
  };
  t.match(await run('ls n2 n2/services n2/services/tool n2/services/tool/control'), /invoke.json/);
  t.match(await run('cat n2/services/SERVICES.json'), /"service_id": "tool"/);
  t.match(await run('cat n2/*.md n2/NODE.json n2/CAPS.json'), /A machine that offers services/);
  t.match(await run('cat n2/services/tool/[A-Z]*'), /acheron-service-v1/);
  t.match(await run('ls -l n2/services n2/tool/README.md NODES.json'), /tool/);
  t.same(
    hostile.asked.slice(before).filter(({ tag }) => tag !== undefined),
    [],
    'it was asked for nothing',
  );
  const all = await waited(() => shell(`ls -lR ${dir}/nodes/n2`));
  t.match(all.answer.stdout, /status.json/);
  t.ok(all.ms < STUCK_MS + 2000, 'nor is what it alone knows waited for long');
});

t.test('reads of a node that falls silent fail in time, and it is asked again once it answers', async (t) => {
  const { hostile, under } = await planeWith(t, HONEST);
  const { files } = await under.session({ token: under.token('admin') });
  const file = await fileOf(files);
  hostile.answering = SILENT;
  const stuck = await timed(files.ask('t_fs_open', { node: file }, { mode: 'r' }));
  t.match(stuck.frame, { error: { errno: 112 } });
  t.ok(stuck.ms < STUCK_MS, `it took ${stuck.ms} ms`);
  const next = await timed(files.ask('t_fs_open', { node: file }, { mode: 'r' }));
  t.match(next.frame, { error: { errno: 112 } });
  t.ok(next.ms < 1500, 'the next caller does not wait');
  hostile.answering = HONEST;
  hostile.push('e_fs_inval', { node: 1, what: 'attr' });
  await until(async () => (await lookup(files, 'nodes/n2/fs/f')).ok === true, 'the node, once it answers');
});

t.test(
  'a call whose node falls silent says within 5 s that its outcome is unknown, and where it is',
  async (t) => {
    const { hostile, under } = await planeWith(t, HONEST);
    const { files } = await under.session({ token: under.token('admin') });
    const file = await fileOf(files);
    const { handle: h } = (await files.ask('t_fs_open', { node: file }, { mode: 'rw' })).payload;
    hostile.answering = SILENT;
    const call = await timed(files.ask('t_fs_write', { h }, { offset: 0, data_b64: 'e30K' }));
    t.match(call.frame, { error: { errno: 112, message: /not known/, hint: /jobs\/by-key/ } });
    t.ok(call.ms < 8000, `it took ${call.ms} ms`);
    const again = await files.ask('t_fs_write', { h }, { offset: 0, data_b64: 'e30K' });
    t.match(again, { error: { errno: 112 } }, 'and nothing is sent a second time');
    t.equal(hostile.asked.filter(({ what }) => what === 'write').length, 1);
  },
);

t.test('a request that is cancelled is answered though its node says nothing', async (t) => {
  const { hostile, under } = await planeWith(t, HONEST);
  const { files } = await under.session({ token: under.token('admin') });
  const file = await fileOf(files);
  hostile.answering = SILENT;
  files.send({ channel: 'acheron', type: 'acheron.t_fs_open', tag: 7, node: file, payload: { mode: 'r' } });
  await until(() => hostile.asked.at(-1)?.what === 'open', 'the request at the node');
  const cancelled = await timed(
    files.ask('t_fs_cancel', {}, { oldtag: 7 }).then(() => files.next(({ tag }) => tag === 7)),
  );
  t.match(cancelled.frame, { error: { errno: 125 } });
  t.ok(cancelled.ms < 2000, `it took ${cancelled.ms} ms`);
  await until(() => hostile.asked.some(({ what }) => what === 'cancel'), 'the node, asked to cancel');
});
