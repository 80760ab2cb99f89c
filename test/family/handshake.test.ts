import t from 'tap';
import { acceptHello } from '../../lib/tunnel/index.js';
import { planeFor } from '../support/plane.js';
import { ControlProgram } from './fixtures/control-program.js';
import { RawSocket, type Headers } from './fixtures/raw-socket.js';

/** What the family's control command sends, whatever it does. */
const CONSTANT_KEY = 'c3BpZGVyd2ViLWNvbnRyb2wtY2xp';

t.test('a program is let in with a key that is no proper one, and without a Host', async (t) => {
  const under = await planeFor(t);
  for (const headers of [{ 'Sec-WebSocket-Key': CONSTANT_KEY }, { Host: null }]) {
    const program = await ControlProgram.start(t, under.url, { token: under.token('admin'), headers });
    t.equal(
      (await program.ask('ping', {}, 'pong'))['timestamp_ms'] !== undefined,
      true,
      JSON.stringify(headers),
    );
  }
});

t.test('a browser is held to the rules, whichever it breaks', async (t) => {
  const under = await planeFor(t, { allowOrigins: ['https://friend.example'] });
  const dial = (headers: Headers): Promise<RawSocket | string> =>
    RawSocket.dial(t, under.url, { Authorization: `Bearer ${under.token('admin')}`, ...headers });
  const friend = { Origin: 'https://friend.example' };
  t.match(await dial({ ...friend, 'Sec-WebSocket-Key': CONSTANT_KEY }), / 400 /);
  t.match(await dial({ ...friend, Host: null }), / 403 /);
  t.match(await dial({ Host: 'rebound.example' }), / 403 /);
  t.match(await dial({ Origin: 'https://other.example', Host: null }), / 403 /);
  t.ok((await dial(friend)) instanceof RawSocket, 'a friend that keeps them is let in');
});

t.test('what is no key at all is refused', async (t) => {
  const under = await planeFor(t);
  for (const key of [null, '', 'short', 'with spaces in it', 'x'.repeat(200), 'Ünicode-key-of-22-signs'])
    t.match(
      await RawSocket.dial(t, under.url, {
        Authorization: `Bearer ${under.token('admin')}`,
        'Sec-WebSocket-Key': key,
      }),
      / 400 /,
      String(key),
    );
});

t.test('files are dialled by each of their names, and by no other', async (t) => {
  const under = await planeFor(t);
  const bearer = { Authorization: `Bearer ${under.token('admin')}` };
  for (const path of ['/v2/fs', '/v2/node', '/fs'])
    t.ok((await RawSocket.dial(t, `${under.url}${path}`, bearer)) instanceof RawSocket, path);
  for (const path of ['/v1/fs', '/v2', '/v2/nodes', '/fs/x'])
    t.match(await RawSocket.dial(t, `${under.url}${path}`, bearer), / 404 /, path);
});

t.test('newer members call the protocols by other names, and are answered by those', async (t) => {
  const under = await planeFor(t, { onFiles: ({ transport }) => void acceptHello(transport) });
  const token = under.token('user');
  const program = await ControlProgram.dial(t, under.url, { token });
  t.match(await program.ask('version', { protocol: 'spiderweb-control' }, 'version_ack'), {
    ...{ protocol: 'spiderweb-control', acheron_runtime: 'acheron-1' },
    ...{ acheron_node: 'spiderweb-fs', acheron_node_proto: 2 },
  });
  t.match(await program.ask('connect', {}, 'connect_ack'), {
    ...{ protocol: 'spiderweb-control', agent_id: 'default', session_key: String },
  });
  t.equal(await program.codeOf('node_get', { node_id: 'none' }), 'node_not_found', 'it is one of theirs');

  const files = await RawSocket.dial(t, `${under.url}/fs`, { Authorization: `Bearer ${token}` });
  if (typeof files === 'string') throw new Error(files);
  const hello = (tag: number, protocol: unknown): void =>
    files.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag, payload: { protocol, proto: 2 } });
  hello(1, 'spiderweb-fs');
  t.match((await files.next(({ tag }) => tag === 1)).payload, {
    protocol: 'spiderweb-fs',
    proto: 2,
    caps: Object,
  });

  for (const protocol of ['spiderweb-fs', 'spiderweb', 'SPIDERWEB-CONTROL', '', 'constructor']) {
    const other = await ControlProgram.dial(t, under.url, { token });
    t.match(
      await other.codeOf('version', { protocol }),
      /^(protocol_mismatch|unsupported_protocol)$/,
      protocol,
    );
  }
});

t.test('a change of the session comes after the answer, and only to who asked for events', async (t) => {
  const under = await planeFor(t);
  under.plane.store.change(() => under.plane.store.projects.create('web', {}, false));
  const quiet = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await quiet.ask('session_attach', { project_id: 'web' });
  await quiet.ask('session_attach', { project_id: null });
  await quiet.ask('ping', {}, 'pong');
  t.same(quiet.socket.frames, [], 'nothing but answers came');

  const hearing = await ControlProgram.start(t, under.url, {
    token: under.token('admin'),
    connect: { events: true },
  });
  await hearing.ask('session_attach', { project_id: 'web' });
  const pushed = await hearing.socket.next(({ type }) => type === 'control.session_changed');
  t.match(pushed.payload, { project_id: 'web', revoked: false });
});
