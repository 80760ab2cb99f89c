import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawFrame } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { answersFrom, HostileNode } from './fixtures/hostile-node.js';

t.test(
  'a hostile node is let in by invite, is asked for its files, and answers whatever it likes',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'here', []);
    const hostile = await HostileNode.join(t, {
      url: under.plane.url,
      invite: under.plane.control.store.pairing.createInvite(60_000).token,
      nodeName: 'n2',
      answering: answersFrom({
        1: { kind: 'dir', entries: { fs: 4 } },
        4: { kind: 'dir', entries: { file: 2, gone: 3 } },
        2: { kind: 'file', text: 'whatever\n' },
      }),
    });
    const { files } = await under.session({ token: under.token('admin') });
    const found = await files.ask('t_fs_lookup', { node: 1 }, { path: 'nodes/n2/fs/file' });
    t.match(found, { ok: true, payload: { kind: 'file', size: 9 } });
    const opened = await files.ask('t_fs_open', { node: found.payload['node'] }, { mode: 'r' });
    const h = opened.payload['handle'];
    const read = await files.ask('t_fs_read', { h }, { offset: 0, count: 100 });
    t.equal(Buffer.from(String(read.payload['data_b64']), 'base64').toString(), 'whatever\n');
    const gone = await files.ask('t_fs_lookup', { node: 1 }, { path: 'nodes/n2/fs/gone' });
    t.equal(gone.ok, false);
    t.ok(hostile.asked.some(({ what, s }) => what === 'lookup' && s !== undefined));
  },
);

t.test(
  'a flood of changes that a node reports reaches others as a few, and its end is not lost',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'here', []);
    const hostile = await HostileNode.join(t, {
      url: under.plane.url,
      invite: under.plane.control.store.pairing.createInvite(60_000).token,
      nodeName: 'n2',
      answering: answersFrom({
        1: { kind: 'dir', entries: { fs: 2 } },
        2: { kind: 'dir', entries: { file: 3 } },
        3: { kind: 'file', text: 'whatever\n' },
      }),
    });
    const { files } = await under.session({ token: under.token('admin') });
    const path = 'nodes/n2/fs';
    const found = (): Promise<RawFrame> => files.ask('t_fs_lookup', { node: 1 }, { path });
    await until(async () => (await found()).ok === true, 'the tunnel');
    const exports = (await found()).payload['node'];
    await files.ask('t_fs_lookup', { node: 1 }, { path: `${path}/file` });
    files.pushed.length = 0;
    for (let i = 0; i < 20_000; i++) hostile.push('e_fs_inval', { node: 3, what: 'data' });
    const ofAll = (): boolean =>
      files.pushed.some(({ payload }) => payload['node'] === exports && payload['tree'] === true);
    await until(ofAll, 'the word that all may be others');
    t.ok(files.pushed.length < 10_000, `${files.pushed.length} of 20,000`);
  },
);
