import t from 'tap';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';
import { until } from '../support/until.js';
import { ControlProgram } from './fixtures/control-program.js';
import { RawSocket } from './fixtures/raw-socket.js';

type Test = Parameters<typeof ControlProgram.start>[0];
type Payload = Record<string, unknown>;

const FS_URL = 'ws://127.0.0.1:1/v2/fs';
const PLATFORM = { os: 'linux', arch: 'x86_64', runtime_kind: 'native' };

/** The family's node: each of its calls is a connection of its own, on which it says an empty connect. */
class NodeProgram {
  readonly #t: Test;
  readonly #under: PlaneUnderTest;
  readonly #token: string | undefined;
  state: Payload = {};

  constructor(t: Test, under: PlaneUnderTest, token: string | undefined) {
    this.#t = t;
    this.#under = under;
    this.#token = token;
  }

  /** @throws Error with the code that was answered */
  async call(name: string, payload: object): Promise<Payload> {
    const connect = this.#token === undefined ? {} : { token: this.#token };
    const program = await ControlProgram.start(this.#t, this.#under.url, { ...connect, connect: {} });
    try {
      return await program.ask(name, payload);
    } finally {
      program.socket.close();
    }
  }

  /** Keeps what it reads of an answer: texts that are not empty, and a number. */
  keep(answer: Payload): void {
    for (const key of ['node_id', 'node_secret', 'lease_token'])
      if (typeof answer[key] !== 'string' || answer[key] === '') throw new Error(`${key} is no text`);
    if (!Number.isInteger(answer['lease_expires_at_ms'])) throw new Error('lease_expires_at_ms is no number');
    for (const key of ['node_name', 'fs_url'])
      if (typeof answer[key] !== 'string') throw new Error(`${key} is no text`);
    const { node_id, node_secret } = this.state;
    if (node_id !== undefined && (answer['node_id'] !== node_id || answer['node_secret'] !== node_secret))
      throw new Error('It was answered as another node.');
    this.state = answer;
  }

  async refresh(): Promise<void> {
    const { node_id, node_secret } = this.state;
    const fs_url = `${this.#under.url}/v2/fs/node/${String(node_id)}`;
    this.keep(await this.call('node_lease_refresh', { node_id, node_secret, fs_url, lease_ttl_ms: 900_000 }));
  }

  upsert(services?: object[]): Promise<Payload> {
    const { node_id, node_secret } = this.state;
    const more = services === undefined ? {} : { services };
    return this.call('node_service_upsert', {
      node_id,
      node_secret,
      platform: PLATFORM,
      labels: { site: 'a' },
      ...more,
    });
  }

  /** Dials its tunnel. Answers the first frame. */
  async dialTunnel(secret = this.state['node_secret']): Promise<{ socket: RawSocket; frame: Payload }> {
    const headers = this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
    const socket = await RawSocket.dial(this.#t, `${this.#under.url}/v2/node`, headers);
    if (typeof socket === 'string') throw new Error(socket);
    const { node_id } = this.state;
    const payload = { protocol: 'unified-v2-fs', proto: 2, node_id, node_secret: secret };
    socket.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload });
    return { socket, frame: await socket.next(({ tag }) => tag === 1, 'the answer to hello') };
  }
}

const service = (service_id: string, more: object = {}): object => ({
  service_id,
  kind: 'echo',
  version: '1',
  state: 'online',
  endpoints: [`/nodes/far/${service_id}`],
  capabilities: { invoke: true },
  mounts: [{ mount_id: service_id, mount_path: `/nodes/far/${service_id}`, state: 'online' }],
  runtime: { type: 'native_proc', abi: 'namespace-driver-v1' },
  permissions: { default: 'allow' },
  ...more,
});

t.test('a node joins by an invite, says what it offers, and is there as long as its lease', async (t) => {
  const under = await planeFor(t, { limits: { offlineGraceMs: 1 } });
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const { invite_token } = await admin.ask('node_invite_create', { expires_in_ms: 60_000 });
  const node = new NodeProgram(t, under, undefined);
  await t.rejects(
    node.call('node_lease_refresh', { node_id: 'far', node_secret: 'x' }),
    { message: 'forbidden' },
    'who has no token may join, and no more',
  );
  const program = new NodeProgram(t, under, under.token('user'));
  program.keep(
    await program.call('node_join', { invite_token, node_name: 'far', fs_url: '', lease_ttl_ms: 900_000 }),
  );
  t.match(await program.upsert([service('echo'), service('other')]), {
    node_id: 'far',
    node_name: 'far',
    platform: PLATFORM,
    labels: { site: 'a' },
    services: [{ service_id: 'echo' }, { service_id: 'other' }],
    service_delta: { changed: true, added: [{ service_id: 'echo' }, { service_id: 'other' }] },
  });
  await program.refresh();
  for (let n = 0; n < 3; n++) {
    t.match(await program.upsert(), {
      services: [{ service_id: 'echo' }, {}],
      service_delta: { changed: false },
    });
    await program.refresh();
  }
  await admin.ask('ping', {}, 'pong');
  t.match(await admin.ask('node_get', { node_id: 'far' }), {
    node: {
      node_id: 'far',
      state: 'online',
      fs_url: `${under.url}/v2/fs/node/far`,
      platform: PLATFORM,
      service_count: 2,
      lease_expires_at_ms: Number,
    },
  });
  for (const code of ['invite_redeemed', 'invite_not_found'])
    t.match(
      await admin.reply('node_join', {
        invite_token: code === 'invite_redeemed' ? invite_token : 'acheron_invite_000000000000_x',
        node_name: 'more',
      }),
      { error: { code, also: 'forbidden' } },
    );
  const short = await admin.ask('node_invite_create', { expires_in_ms: 1_000 });
  await until(() => Date.now() > (short['expires_at_ms'] as number), 'the invite to be over');
  t.equal(
    await admin.codeOf('node_join', { invite_token: short['invite_token'], node_name: 'late' }),
    'invite_expired',
  );
});

t.test('a node asks with an admin token, approves itself, and is given its credentials', async (t) => {
  const under = await planeFor(t);
  const program = new NodeProgram(t, under, under.token('admin'));
  const asked = await program.call('node_join_request', { node_name: 'far', fs_url: '', platform: PLATFORM });
  t.match(asked, { request_id: String, fs_url: '', requested_at_ms: Number });
  const { request_id } = asked;
  program.keep(await program.call('node_join_approve', { request_id, lease_ttl_ms: 900_000 }));
  await program.refresh();
  await t.rejects(
    program.call('node_join_approve', { request_id, lease_ttl_ms: 900_000 }),
    { message: 'pending_join_not_found' },
    'the code upon which it asks anew',
  );

  const stranger = new NodeProgram(t, under, under.token('user'));
  const other = await stranger.call('node_join_request', { node_name: 'other', platform: PLATFORM });
  await t.rejects(
    stranger.call('node_join_approve', { request_id: other['request_id'], lease_ttl_ms: 900_000 }),
    {
      message: 'forbidden',
    },
  );
  const approved = await program.call('node_join_approve', {
    request_id: other['request_id'],
    lease_ttl_ms: 900_000,
  });
  t.notOk(
    'node_secret' in approved,
    'the credentials of a request of somebody else are not for who approves',
  );
});

t.test('a node that is known no more is told so by the codes that it looks for', async (t) => {
  const under = await planeFor(t);
  const program = new NodeProgram(t, under, under.token('admin'));
  program.keep(
    await program.call('node_ensure', { node_name: 'far', fs_url: FS_URL, lease_ttl_ms: 900_000 }),
  );
  const { node_secret } = program.state;
  const again = await program.call('node_ensure', { node_name: 'far' });
  t.match(again, { node_id: 'far', created: false, fs_url: FS_URL });
  await t.rejects(program.refresh(), { message: 'node_auth_failed' }, 'the old secret is good no more');
  t.match((await program.dialTunnel(node_secret)).frame, {
    type: 'acheron.err_fs',
    ok: false,
    error: { errno: 13 },
    payload: { reason: 'NodeAuthFailed' },
  });
  program.state = again;
  await program.refresh();
  await t.rejects(
    program.call('node_ensure', { node_name: 'far' }),
    { message: 'session_busy' },
    'it is online',
  );
  const user = new NodeProgram(t, under, under.token('user'));
  await t.rejects(user.call('node_ensure', { node_name: 'mine' }), { message: 'forbidden' });
  await t.rejects(user.call('node_delete', { node_id: 'far' }), { message: 'forbidden' });
  await t.rejects(user.call('node_delete', { node_id: 'far', node_secret: 'wrong' }), {
    message: 'node_auth_failed',
  });
  t.match(await user.call('node_delete', { node_id: 'far', node_secret: again['node_secret'] }), {
    deleted: true,
  });
  await t.rejects(program.upsert([]), { message: 'node_auth_failed' });
  await t.rejects(program.call('node_delete', { node_id: 'far' }), { message: 'not_found' });
});

t.test('who watches is told how many events follow, and what the services are', async (t) => {
  const under = await planeFor(t);
  const node = new NodeProgram(t, under, under.token('admin'));
  node.keep(await node.call('node_ensure', { node_name: 'far' }));
  await node.upsert([service('echo')]);
  const watcher = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const ack = await watcher.ask('node_service_watch', { node_id: 'far', replay_limit: 100 });
  t.match(ack, { enabled: true, replayed: Number, watch_id: String });
  const events = await Promise.all(
    Array.from({ length: ack['replayed'] as number }, () =>
      watcher.socket.next(({ type }) => type === 'control.node_service_event'),
    ),
  );
  t.match(
    events.map(({ payload }) => payload),
    [{ kind: 'node_joined' }, { node_id: 'far', services: [{ service_id: 'echo' }] }],
  );
  await watcher.ask('ping', {}, 'pong');
  t.same(watcher.socket.frames, [], 'so many, and no more');
  await node.upsert([service('other', { state: 'degraded' })]);
  const { payload } = await watcher.socket.next(
    ({ type }) => type === 'control.node_service_event',
    'the change',
  );
  t.match(payload, {
    node_id: 'far',
    services: [
      { service_id: 'other', venom_id: 'other', runtime: { supervision_status: { state: 'degraded' } } },
    ],
    service_delta: {
      added: [{ service_id: 'other', venom_id: 'other', version: '1', hash: /^[0-9a-f]{64}$/ }],
      removed: [{ service_id: 'echo', version: '1', hash: /^[0-9a-f]{64}$/, previous_version: '1' }],
    },
  });
  t.match(await watcher.ask('node_service_unwatch', { watch_id: ack['watch_id'] }), {
    ended: 1,
    enabled: false,
  });
});

t.test('agents are the names that tokens have; another protocol is refused', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  const { token } = store.tokens.create({ role: 'user', agentId: 'claude' });
  const claude = await ControlProgram.start(t, under.url, { token });
  t.match(await claude.ask('agent_list'), {
    agents: [{ id: 'claude', name: 'claude', is_default: true, identity_loaded: true, capabilities: [] }],
  });
  t.match(await claude.ask('agent_get', { agent_id: 'claude' }), { agent: { id: 'claude' } });
  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.same(
    ((await user.ask('agent_list'))['agents'] as { id: string }[]).map(({ id }) => id),
    ['default'],
  );
  t.equal(await user.codeOf('agent_get', { agent_id: 'claude' }), 'agent_not_found');
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  t.match(await admin.ask('agent_get', { agent_id: 'claude' }), { agent: { is_default: false } });
  t.match(await admin.reply('version', { protocol: 'unified-v3' }), {
    error: { code: 'protocol_mismatch', also: 'unsupported_protocol' },
  });
  t.equal(await admin.codeOf('agent_hatch', { agent_id: 'x' }), 'unsupported_type');
});
