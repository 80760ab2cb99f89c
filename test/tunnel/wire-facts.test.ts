import t, { type Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import { createReferenceTree } from '../support/reference-tree.js';
import { RawClient } from '../support/raw-client.js';
import { servedOnWs } from '../support/served.js';

async function clientOf(t: Test): Promise<RawClient> {
  const { url } = await servedOnWs(t, createReferenceTree());
  const client = await RawClient.afterHello(url);
  t.teardown(() => client.close());
  return client;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const textOf = (data: unknown): string => Buffer.from(String(data), 'base64').toString();

t.test('version, attach and hello are answered in the shapes of the public protocol', async (t) => {
  const { url } = await servedOnWs(t, createReferenceTree());
  const client = await RawClient.connect(url);
  t.teardown(() => client.close());
  client.send({ channel: 'acheron', type: 'acheron.t_version', tag: 1, msize: 65536, version: 'acheron-1' });
  t.match(await client.next(({ tag }) => tag === 1), {
    channel: 'acheron',
    type: 'acheron.r_version',
    ok: true,
    msize: 65536,
    version: 'acheron-1',
  });
  t.match(await client.ask('t_version', { msize: 1, version: 'acheron-9' }), {
    type: 'acheron.error',
    error: { code: 'unsupported_protocol', message: String },
  });
  const hello = await client.ask('t_fs_hello', {}, { protocol: 'unified-v2-fs', proto: 2 });
  t.match(hello, {
    channel: 'acheron',
    type: 'acheron.r_fs_hello',
    ok: true,
    payload: {
      protocol: 'unified-v2-fs',
      proto: 2,
      capabilities: { exports: true, read: true, write: true },
    },
  });
  const attached = await client.ask('t_attach', { fid: 1 });
  t.match(attached, { type: 'acheron.r_attach', payload: { layout: 'worldfs-v1' } });
  t.ok((attached.payload['roots'] as string[]).includes('/docs'));
});

t.test('anything before hello is refused with EINVAL, and the connection ends', async (t) => {
  const { url, refused } = await servedOnWs(t, createReferenceTree());
  for (const [type, expected] of [
    ['t_fs_getattr', { type: 'acheron.err_fs', error: { errno: 22 } }],
    ['t_attach', { type: 'acheron.error', error: { code: 'handshake_required' } }],
  ] as const) {
    const client = await RawClient.connect(url);
    t.match(await client.ask(type, { node: 1 }), expected);
    t.equal(await client.closed, 1008);
  }
  const wrong = await RawClient.connect(url);
  const answer = await wrong.ask('t_fs_hello', {}, { protocol: 'unified-v2-fs', proto: 3 });
  t.match(answer, { type: 'acheron.err_fs', error: { errno: 71 } });
  t.equal(await wrong.closed, 1008);
  const missing = await RawClient.connect(url);
  t.match(await missing.ask('t_fs_hello', {}, {}), { type: 'acheron.err_fs', ok: false });
  t.equal(await missing.closed, 1008);
  t.equal(refused.length, 4);
});

t.test('a token in hello is judged, and a client that never sends one may be served', async (t) => {
  const { url } = await servedOnWs(t, createReferenceTree(), {
    authorize: ({ auth_token: token }) => {
      if (token !== undefined && token !== 'sesame') throw new FsError('EACCES', 'The token is not valid.');
    },
  });
  const hello = { protocol: 'unified-v2-fs', proto: 2 };
  const wrong = await RawClient.connect(url);
  t.match(await wrong.ask('t_fs_hello', {}, { ...hello, auth_token: 'x' }), { error: { errno: 13 } });
  await wrong.closed;
  for (const more of [{}, { auth_token: 'sesame' }]) {
    const right = await RawClient.connect(url);
    t.equal((await right.ask('t_fs_hello', {}, { ...hello, ...more })).type, 'acheron.r_fs_hello');
    right.close();
  }
});

t.test('files are found, listed, read, and closed', async (t) => {
  const client = await clientOf(t);
  const root = await client.ask('t_fs_getattr', { node: 1 });
  t.match(root, { type: 'acheron.r_fs_getattr', ok: true, payload: { node: 1, kind: 'dir', mode: 'rw' } });
  const docs = await client.ask('t_fs_lookup', { node: 1 }, { name: 'docs' });
  t.match(docs, { type: 'acheron.r_fs_lookup', payload: { name: 'docs', kind: 'dir', node: Number } });
  const node = docs.payload['node'];
  const file = await client.ask('t_fs_lookup', { node: 1 }, { path: 'docs/hello.txt' });
  t.match(file.payload, { name: 'hello.txt', kind: 'file', size: 6, mode: 'r', perm: 0o444 });
  const again = await client.ask('t_fs_lookup', { node }, { name: 'hello.txt' });
  t.equal(again.payload['node'], file.payload['node'], 'a node keeps its number');

  const first = await client.ask('t_fs_readdirp', { node }, { cookie: 0, count: 2 });
  const entries = first.payload['entries'] as { name: string; kind: string }[];
  t.equal(entries.length, 2);
  t.match(first.payload, { entries: [{ name: String, kind: 'file' }], next: Number, eof: false });
  const rest = await client.ask('t_fs_readdirp', { node }, { cookie: first.payload['next'] });
  t.equal(rest.payload['eof'], true);
  entries.push(...(rest.payload['entries'] as typeof entries));
  t.equal(new Set(entries.map(({ name }) => name)).size, entries.length);
  t.ok(entries.some(({ name }) => name === 'hello.txt'));

  const opened = await client.ask('t_fs_open', { node: file.payload['node'] }, { mode: 'r' });
  t.match(opened.payload, { handle: Number, mode: 'r' });
  const h = opened.payload['handle'];
  const part = await client.ask('t_fs_read', { h }, { offset: 1, count: 3 });
  t.match(part, { type: 'acheron.r_fs_read', payload: { eof: false } });
  t.equal(textOf(part.payload['data_b64']), 'ell');
  const end = await client.ask('t_fs_read', { h }, { offset: 4, count: 100 });
  t.match(end.payload, { data_b64: base64('o\n'), eof: true });
  t.match(await client.ask('t_fs_read', { h }, { offset: 6, count: 1 }), {
    payload: { data_b64: '', eof: true },
  });
  t.match(await client.ask('t_fs_write', { h }, { offset: 0, data_b64: 'eA==' }), {
    type: 'acheron.err_fs',
    ok: false,
    error: { errno: 9, message: String },
  });
  t.strictSame((await client.ask('t_fs_close', { h })).payload, {});
  t.match(await client.ask('t_fs_read', { h }, { offset: 0, count: 1 }), { error: { errno: 9 } });
  const large = await client.ask('t_fs_lookup', { node: 1 }, { path: 'docs/large.bin' });
  const big = await client.ask('t_fs_open', { node: large.payload['node'] }, { flags: 0 });
  const got = await client.ask('t_fs_read', { h: big.payload['handle'] }, { offset: 0, count: 2 ** 31 });
  t.equal(textOf(got.payload['data_b64']).length, 640_000);
});

t.test(
  'what a peer asked for as the largest reply holds, whatever versions it names afterwards',
  async (t) => {
    const { url } = await servedOnWs(t, createReferenceTree());
    const client = await RawClient.connect(url);
    t.teardown(() => client.close());
    const readAll = async (): Promise<number> => {
      const large = await client.ask('t_fs_lookup', { node: 1 }, { path: 'docs/large.bin' });
      const { payload } = await client.ask('t_fs_open', { node: large.payload['node'] }, { flags: 0 });
      const got = await client.ask('t_fs_read', { h: payload['handle'] }, { offset: 0, count: 2 ** 20 });
      return JSON.stringify(got).length;
    };
    t.match(await client.ask('t_version', { msize: 65_536, version: 'acheron-1' }), { msize: 65_536 });
    t.match(await client.ask('t_version', { msize: 1, version: 'acheron-9' }), { type: 'acheron.error' });
    await client.ask('t_fs_hello', {}, { protocol: 'unified-v2-fs', proto: 2 });
    t.ok((await readAll()) <= 65_536, 'after the handshake');
    t.match(await client.ask('t_version', { msize: 1, version: 'acheron-9' }), { type: 'acheron.error' });
    t.ok((await readAll()) <= 65_536, 'and after a version that was refused');
    t.match(await client.ask('t_version', { msize: 131_072, version: 'acheron-1' }), { msize: 131_072 });
    t.ok((await readAll()) > 65_536, 'another one is agreed on');
  },
);

t.test('a control file is written with data_b64, and a file is made, moved and removed', async (t) => {
  const client = await clientOf(t);
  const poke = await client.ask('t_fs_lookup', { node: 1 }, { path: 'control/poke' });
  const { payload } = await client.ask('t_fs_open', { node: poke.payload['node'] }, { mode: 'w' });
  const h = payload['handle'];
  const written = await client.ask('t_fs_write', { h }, { offset: 0, data_b64: base64('live x\n') });
  t.match(written, { type: 'acheron.r_fs_write', payload: { count: 7 } });
  await client.ask('t_fs_close', { h });

  const work = (await client.ask('t_fs_lookup', { node: 1 }, { name: 'work' })).payload['node'];
  const made = await client.ask('t_fs_create', { node: work }, { name: 'new', mode: 'rw' });
  t.match(made, { type: 'acheron.r_fs_create', payload: { node: Number, handle: Number, mode: 'rw' } });
  await client.ask('t_fs_write', { h: made.payload['handle'] }, { offset: 0, data_b64: base64('abc') });
  t.match(await client.ask('t_fs_truncate', { h: made.payload['handle'] }, { size: 2 }), {
    payload: { size: 2 },
  });
  await client.ask('t_fs_close', { h: made.payload['handle'] });
  t.match(await client.ask('t_fs_mkdir', { node: work }, { name: 'dir' }), { payload: { kind: 'dir' } });
  t.match(await client.ask('t_fs_symlink', { node: work }, { name: 'ln', target: 'new' }), {
    payload: { kind: 'symlink' },
  });
  const moved = await client.ask(
    't_fs_rename',
    { node: work },
    { name: 'new', to_node: work, to_name: 'newer' },
  );
  t.equal(moved.type, 'acheron.r_fs_rename');
  t.match(await client.ask('t_fs_lookup', { node: work }, { name: 'new' }), { error: { errno: 2 } });
  for (const name of ['newer', 'ln'])
    t.equal((await client.ask('t_fs_unlink', { node: work }, { name })).type, 'acheron.r_fs_unlink');
  t.equal((await client.ask('t_fs_rmdir', { node: work }, { name: 'dir' })).type, 'acheron.r_fs_rmdir');
  t.match(await client.ask('t_fs_statfs', { node: 1 }), { payload: { block_size: Number } });
  t.match(await client.ask('t_fs_exports'), { payload: { exports: [{ name: '/', root: 1, ro: false }] } });
});

t.test('what changed is pushed to those who have seen it, and to nobody else', async (t) => {
  const { url } = await servedOnWs(t, createReferenceTree());
  const watcher = await RawClient.afterHello(url);
  const stranger = await RawClient.afterHello(url);
  const writer = await RawClient.afterHello(url);
  t.teardown(() => [watcher, stranger, writer].forEach((client) => client.close()));
  const seen = await watcher.ask('t_fs_lookup', { node: 1 }, { path: 'docs/announced.txt' });
  const poke = await writer.ask('t_fs_lookup', { node: 1 }, { path: 'control/poke' });
  const { payload } = await writer.ask('t_fs_open', { node: poke.payload['node'] }, { mode: 'w' });
  const pushed = watcher.next(({ type }) => type === 'acheron.e_fs_inval');
  await writer.ask('t_fs_write', { h: payload['handle'] }, { offset: 0, data_b64: base64('announced z\n') });
  t.match(await pushed, { channel: 'acheron', payload: { node: seen.payload['node'], what: 'data' } });
  await stranger.ask('t_fs_getattr', { node: 1 });
  t.strictSame(stranger.pushed, []);
});

t.test(
  'known types that are not served are unsupported, and identities that are claimed are ignored',
  async (t) => {
    const client = await clientOf(t);
    t.match(await client.ask('t_fs_lock', { h: 1 }, {}), {
      type: 'acheron.err_fs',
      error: { code: 'unsupported_type', errno: 38 },
    });
    t.match(await client.ask('t_walk', { fid: 1 }), {
      type: 'acheron.error',
      error: { code: 'unsupported_type' },
    });
    client.send({ channel: 'control', type: 'control.ping', id: 'a' });
    t.match(await client.next(({ id }) => id === 'a'), { type: 'control.error', ok: false });
    t.match(await client.ask('t_fs_getattr', { node: 1, s: 'somebody-else' }), { ok: true });
    client.send({ channel: 'acheron', type: 'acheron.e_session', payload: { session: { id: 'x' } } });
    t.match(await client.next(({ type }) => type === 'acheron.error'), {
      error: { code: 'unsupported_type' },
    });
    client.send({ channel: 'acheron', type: 't_fs_getattr', tag: 7, node: 1 });
    t.match(await client.next(({ tag }) => tag === 7), { error: { code: 'unsupported_type' } });
  },
);
