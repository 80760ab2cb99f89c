import t, { type Test } from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { RawClient, type RawFrame } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { answersFrom, HostileNode, type Answering } from './fixtures/hostile-node.js';

/** `1` is the node's directory, `2` one of its exports that a test lies about. */
const TREE = answersFrom({
  1: { kind: 'dir', entries: { fs: 5 } },
  5: { kind: 'dir', entries: { lies: 2, file: 3, link: 4 } },
  2: { kind: 'dir', entries: {} },
  3: { kind: 'file', text: 'short\n', more: { freshness: 'live' } },
  4: { kind: 'symlink', target: 'x'.repeat(5000), more: { size: 5000 } },
});

async function lyingNode(
  t: Test,
  lie: Answering,
): Promise<{ hostile: HostileNode; files: RawClient; dir: unknown; file: unknown; link: unknown }> {
  const under = await PlaneWithNode.start(t, 'here', []);
  const hostile = await HostileNode.join(t, {
    url: under.plane.url,
    invite: under.plane.control.store.pairing.createInvite(60_000).token,
    nodeName: 'n2',
    answering: async (asked) => {
      const answer = await lie(asked);
      return answer === 'no answer' ? TREE(asked) : answer;
    },
  });
  const { files } = await under.session({ token: under.token('admin') });
  const [dir, file, link] = await Promise.all(
    ['lies', 'file', 'link'].map(async (name) => {
      const found = await files.ask('t_fs_lookup', { node: 1 }, { path: `nodes/n2/fs/${name}` });
      return found.payload['node'];
    }),
  );
  return { hostile, files, dir, file, link };
}

const list = (files: RawClient, node: unknown): Promise<RawFrame> => files.ask('t_fs_readdirp', { node }, {});

/** Another page each time it is asked. */
function endless(entries: number, nameOf: (i: number) => string): Answering {
  return ({ what, node, payload }) => {
    if (what !== 'readdirp' || node !== 2) return 'no answer';
    const from = Number(payload['cookie']);
    const page = Array.from({ length: entries }, (_, i) => ({ name: nameOf(from + i), kind: 'file' }));
    return { payload: { entries: page, next: from + entries, eof: false } };
  };
}

const pagesOf = (hostile: HostileNode): number =>
  hostile.asked.filter(({ what, node }) => what === 'readdirp' && node === 2).length;

t.test('a listing without end ends, nothing of it is kept, and others of the node are served', async (t) => {
  const { hostile, files, dir, file } = await lyingNode(
    t,
    endless(10_000, (i) => `${i}`.padStart(250, 'x')),
  );
  const [listed, read] = await Promise.all([
    list(files, dir),
    files.ask('t_fs_open', { node: file }, { mode: 'r' }),
  ]);
  t.match(listed, { error: { errno: 75 } });
  t.match(read, { ok: true });
  const pages = pagesOf(hostile);
  t.ok(pages < 40, `${pages} pages`);
  t.match(await files.ask('t_fs_getattr', { node: dir }), { ok: true });
  t.equal(pagesOf(hostile), pages, 'it is not asked on');
});

t.test('a listing ends with its caller', async (t) => {
  const { hostile, files, dir } = await lyingNode(
    t,
    endless(10, (i) => `${i}`),
  );
  files.send({ channel: 'acheron', type: 'acheron.t_fs_readdirp', tag: 7, node: dir, payload: {} });
  await until(() => pagesOf(hostile) > 3, 'some pages');
  await files.ask('t_fs_cancel', {}, { oldtag: 7 });
  t.match(await files.next(({ tag }) => tag === 7), { error: { errno: 125 } });
  const pages = pagesOf(hostile);
  await files.ask('t_fs_getattr', { node: dir });
  t.ok(pagesOf(hostile) <= pages + 1);
  void list(files, dir);
  await until(() => pagesOf(hostile) > pages + 3, 'some more pages');
  files.close();
  let before = -1;
  await until(() => {
    const now = pagesOf(hostile);
    const stands = now === before;
    before = now;
    return stands;
  }, 'the end of the questions');
});

t.test('what no honest node answers is EIO: names, links, and content that was not asked for', async (t) => {
  let name = '';
  const { files, dir, file, link } = await lyingNode(t, ({ what, node }) => {
    if (what === 'read' && node === undefined)
      return { payload: { data_b64: Buffer.alloc(100_000).toString('base64'), eof: false } };
    if (what !== 'readdirp' || node !== 2) return 'no answer';
    return { payload: { entries: [{ name, kind: 'file' }], next: 1, eof: true } };
  });
  for (name of ['', '.', '..', 'a/b', '\0', 'x'.repeat(256), 'é'.repeat(128)])
    t.match(await list(files, dir), { error: { errno: 5 } }, JSON.stringify(name).slice(0, 20));
  name = 'é'.repeat(127);
  t.match(await list(files, dir), { ok: true });
  const { handle: h } = (await files.ask('t_fs_open', { node: file }, { mode: 'r' })).payload;
  t.match(await files.ask('t_fs_read', { h }, { offset: 0, count: 6 }), { error: { errno: 5 } });
  t.match(await files.ask('t_fs_readlink', { node: link }), { error: { errno: 5 } });
});
