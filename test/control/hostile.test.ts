import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import fc from '../support/properties.js';
import t from 'tap';
import { WebSocket, type ClientOptions } from 'ws';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';
import { until } from '../support/until.js';
import { descriptor } from '../support/store.js';

/** Sends whatever it is asked to, and gets what comes. */
class Peer {
  readonly socket: WebSocket;
  readonly heard: { type: string; ok?: boolean; id?: string; error?: { code: string }; payload?: never }[] =
    [];
  closed: number | undefined;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => this.heard.push(JSON.parse((data as Buffer).toString()) as never));
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => (this.closed = code));
  }

  static async open(url: string, token?: string): Promise<Peer> {
    const peer = new Peer(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
    await new Promise((resolve) => peer.socket.once('open', resolve));
    return peer;
  }

  say(type: string, payload?: unknown, id = type): void {
    this.socket.send(JSON.stringify({ channel: 'control', type, id, payload }));
  }

  async shake(): Promise<void> {
    this.say('control.version', { protocol: 'unified-v2' });
    this.say('control.connect');
    await until(() => this.heard.length >= 2);
    this.heard.length = 0;
  }

  get codes(): string[] {
    return this.heard.map(({ error, type }) => error?.code ?? type);
  }
}

/** What an upgrade is answered. */
function upgradeStatus(url: string, headers: Record<string, string>, path = '/'): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url}${path}`, { headers });
    socket.on('open', () => {
      socket.close();
      resolve(101);
    });
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.on('error', () => undefined);
  });
}

function pageStatus(
  under: PlaneUnderTest,
  path: string,
  headers: Record<string, string>,
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port: under.plane.port, host: '127.0.0.1', path, headers, agent: false },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve([response.statusCode ?? 0, body]));
      },
    );
    request.on('error', reject);
    request.end();
  });
}

t.test('[P] a foreign Origin or Host gets 403 before any upgrade, HTTP included', async (t) => {
  const under = await planeFor(t, { allowOrigins: ['https://ours.example'] });
  const authorization = `Bearer ${under.token('admin')}`;
  for (const path of ['/', '/v2/fs']) {
    t.equal(await upgradeStatus(under.url, { authorization, origin: 'https://evil.example' }, path), 403);
    t.equal(await upgradeStatus(under.url, { authorization, origin: 'null' }, path), 403);
    t.equal(await upgradeStatus(under.url, { authorization, host: 'evil.example' }, path), 403);
    t.equal(await upgradeStatus(under.url, { authorization, host: 'localhost.evil.example:80' }, path), 403);
    t.equal(await upgradeStatus(under.url, { authorization, origin: 'https://ours.example' }, path), 101);
    t.equal(
      await upgradeStatus(under.url, { authorization, host: `localhost:${under.plane.port}` }, path),
      101,
    );
  }
  for (const path of ['/livez', '/readyz', '/metrics', '/metrics.json']) {
    t.equal((await pageStatus(under, path, {}))[0], 200, path);
    t.equal((await pageStatus(under, path, { origin: 'https://evil.example' }))[0], 403, path);
    t.equal((await pageStatus(under, path, { host: 'rebound.example' }))[0], 403, path);
  }
});

t.test('metrics name nodes and services for admin tokens alone', async (t) => {
  const under = await planeFor(t);
  under.plane
    .attachInProcessNode({ nodeName: 'node-x', platform: null, labels: {} })
    .upsert([descriptor('service-x')]);
  for (const path of ['/metrics', '/metrics.json']) {
    const user = await pageStatus(under, path, { authorization: `Bearer ${under.token('user')}` });
    t.notMatch(user[1], /node-x|service-x/);
    const admin = await pageStatus(under, path, { authorization: `Bearer ${under.token('admin')}` });
    t.match(admin[1], /service-x/);
    const query = await pageStatus(under, `${path}?token=${under.token('admin')}`, {});
    t.notMatch(query[1], /service-x/);
    const [status, body] = await pageStatus(under, path, { authorization: 'Bearer guess' });
    t.equal(status, 401);
    t.notMatch(body, /acheron_control/);
  }
});

t.test(
  'a wrong token is answered 401, each later than the one before, and a valid one is never delayed',
  async (t) => {
    const under = await planeFor(t);
    t.equal(await upgradeStatus(under.url, { authorization: 'Bearer guess' }), 401);
    const guesses = Array.from(
      { length: 8 },
      () => new Peer(under.url, { headers: { authorization: 'Bearer guess' } }),
    );
    await until(
      () => guesses.some(({ closed }) => closed !== undefined),
      'the first of the guesses answered',
    );
    await under.admin();
    // The last four wait for eight seconds each.
    const waiting = guesses.filter(({ closed }) => closed === undefined);
    t.ok(waiting.length >= 4, `while ${waiting.length} of eight guesses wait`);
    for (const { socket } of guesses) socket.terminate();
  },
);

t.test('[P] what comes too early, is unknown, malformed or too large is answered with a code', async (t) => {
  const under = await planeFor(t);
  const peer = await Peer.open(under.url, under.token('user'));
  const bystander = await under.user();
  peer.say('control.node_list');
  peer.say('control.version', { protocol: 'unified-v1' });
  peer.say('control.version', { protocol: 'unified-v2' });
  peer.say('control.node_list');
  peer.say('control.connect');
  peer.say('control.connect', {}, 'again');
  peer.say('control.no_such_thing');
  peer.say('node_list');
  peer.say('control.node_get', {});
  peer.say('control.node_get', { node_id: '../etc' });
  peer.say('control.node_get', { node_id: ['x'] });
  peer.socket.send('{not json');
  peer.socket.send('[]');
  peer.socket.send('{"channel":"control"}');
  peer.socket.send(Buffer.from([1, 2, 3]));
  peer.socket.send(
    `{"channel":"control","type":"control.ping","payload":{"x":"${'x'.repeat(1024 * 1024)}"}}`,
  );
  peer.socket.send(
    `{"channel":"control","type":"control.ping","payload":{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
  );
  peer.socket.send(
    `{"channel":"control","type":"control.ping","payload":{"x":${'['.repeat(40_000)}${']'.repeat(40_000)}}}`,
  );
  peer.socket.send('{"channel":"control","type":"control.ping","payload":{"__proto__":{"polluted":1}}}');
  peer.socket.send('{"channel":"acheron","type":"acheron.t_version","tag":1,"msize":4096}');
  peer.socket.send('{"channel":"acheron","type":"acheron.t_walk","tag":2}');
  await until(() => peer.heard.length === 21);
  t.same(peer.codes, [
    'handshake_required',
    'unsupported_protocol',
    'control.version_ack',
    'handshake_required',
    'control.connect_ack',
    'session_busy',
    'unsupported_type',
    'unsupported_type',
    'missing_field',
    'invalid_payload',
    'invalid_payload',
    'invalid_envelope',
    'invalid_envelope',
    'missing_field',
    'invalid_envelope',
    'frame_too_large',
    'frame_too_large',
    'invalid_payload',
    'control.pong',
    'acheron.r_version',
    'unsupported_type',
  ]);
  t.equal((Object.prototype as { polluted?: unknown }).polluted, undefined);
  t.ok(await bystander.request('ping', {}));
  peer.socket.send('x'.repeat(3 * 1024 * 1024));
  await until(() => peer.closed !== undefined);
  t.equal(peer.closed, 1009);
  t.ok(await bystander.request('ping', {}));
});

t.test('/v2/fs turns away a peer that does not say a good hello first', async (t) => {
  const under = await planeFor(t, { onFiles: ({ transport }) => transport.close(4999, 'handed over') });
  const url = `${under.url}/v2/fs`;
  const hello = (more: object): string =>
    JSON.stringify({
      channel: 'acheron',
      type: 'acheron.t_fs_hello',
      tag: 1,
      payload: { protocol: 'unified-v2-fs', proto: 2, ...more },
    });
  const early = await Peer.open(url, under.token('user'));
  early.socket.send(
    '{"channel":"acheron","type":"acheron.t_fs_lookup","tag":7,"node":1,"payload":{"name":"x"}}',
  );
  early.socket.send(Buffer.from('binary'));
  early.socket.send('{"channel":"acheron","type":"acheron.t_version","tag":8,"msize":65536}');
  await until(() => early.heard.length === 3);
  t.same(early.codes, ['handshake_required', 'handshake_required', 'acheron.r_version']);
  early.socket.send(hello({ role: 'admin', session: 's-somebody-elses' }));
  await until(() => early.heard.length === 4);
  t.equal(early.codes[3], 'not_found');
  early.socket.send(hello({}));
  await until(() => early.closed === 4999);
  const anonymous = await Peer.open(url);
  anonymous.socket.send(hello({ auth_token: 'guess' }));
  await until(() => anonymous.closed === 1008);
  t.same(anonymous.codes, ['provider_auth_failed']);
  const fake = await Peer.open(url);
  fake.socket.send(hello({ node_id: 'n1', node_secret: 'guess' }));
  await until(() => fake.closed === 1008);
  const withToken = await Peer.open(url);
  withToken.socket.send(hello({ auth_token: under.token('user') }));
  await until(() => withToken.closed === 4999);
});

t.test('a tunnel belongs to the current epoch, and deleting the node cuts it', async (t) => {
  const opened: string[] = [];
  const under = await planeFor(t, { onNodeTunnel: ({ nodeId, epoch }) => opened.push(`${nodeId}@${epoch}`) });
  const admin = await under.admin();
  const { invite_token } = await admin.request('node_invite_create', {});
  const { node_secret } = await admin.request('node_join', { invite_token, node_name: 'n1' });
  const node = under.client(undefined, { connect: () => ({ node_id: 'n1', node_secret: node_secret! }) });
  const epoch = (await node.ready()).node!.epoch;
  const payload = { protocol: 'unified-v2-fs', proto: 2, node_id: 'n1', node_secret };
  const hello = (epoch: number): string =>
    JSON.stringify({
      channel: 'acheron',
      type: 'acheron.t_fs_hello',
      tag: 1,
      payload: { ...payload, epoch },
    });
  const stale = await Peer.open(`${under.url}/v2/fs`);
  stale.socket.send(hello(epoch - 1));
  await until(() => stale.closed !== undefined);
  t.same(stale.codes, ['stale_epoch']);
  const tunnel = await Peer.open(`${under.url}/v2/fs`);
  tunnel.socket.send(hello(epoch));
  await until(() => opened.length === 1);
  t.same(opened, [`n1@${epoch}`]);
  await admin.request('node_delete', { node_id: 'n1' });
  await until(() => tunnel.closed !== undefined);
  t.equal(under.plane.tunnels.get('n1'), undefined);
});

t.test('it does not listen beyond this machine without TLS, unless asked to', async (t) => {
  await t.rejects(planeFor(t, { host: '0.0.0.0' }), { code: 'EACCES', hint: /--tls-cert/ });
  const under = await planeFor(t, { host: '0.0.0.0', insecure: true });
  await t.rejects(
    planeFor(t, {}).then((other) => other.start(under.plane.port)),
    { code: 'EBUSY' },
  );
});

t.test(
  'half-open and slow connections are closed in time, and a valid peer is served throughout',
  async (t) => {
    const under = await planeFor(t, { limits: { handshakeTimeoutMs: 200 } });
    const bystander = await under.user();
    const silent: Socket[] = [];
    for (let n = 0; n < 300; n++) {
      const socket = connect(under.plane.port, '127.0.0.1');
      socket.on('error', () => undefined);
      if (n % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: local');
      silent.push(socket);
    }
    const upgraded = await Promise.all(
      Array.from({ length: 20 }, (_, n) => Peer.open(`${under.url}${n % 2 === 0 ? '/' : '/v2/fs'}`)),
    );
    t.ok(await bystander.request('ping', {}));
    await until(() => upgraded.every(({ closed }) => closed === 1008), 'the silent upgrades to be closed');
    t.ok(await bystander.request('ping', {}));
    for (const socket of silent) socket.destroy();
  },
);

t.test('[P] no sequence of frames takes the server down or disturbs a valid peer', async (t) => {
  const under = await planeFor(t);
  const bystander = await under.user();
  const types = fc.constantFrom(
    ...[
      'version',
      'connect',
      'ping',
      'session_attach',
      'session_resume',
      'session_close',
      'node_join',
      'node_get',
    ],
    ...[
      'node_service_watch',
      'node_service_unwatch',
      'node_service_upsert',
      'node_lease_refresh',
      'project_update',
    ],
    ...['token_revoke', 'audit_tail', 'audit_append', '__proto__', 'constructor', 'toString', ''],
  );
  const keys = fc.constantFrom(
    'node_id',
    'session',
    'project_id',
    'services',
    'epoch',
    'cursor',
    '__proto__',
    'node_secret',
    'x',
  );
  const payload = fc.oneof(
    fc.dictionary(keys, fc.oneof(fc.jsonValue(), fc.constantFrom('n1', 0, -1, 1e308))),
    fc.jsonValue(),
  );
  const frame = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(types, payload)
        .map(([type, body]) =>
          JSON.stringify({ channel: 'control', type: `control.${type}`, id: 'x', payload: body }),
        ),
    },
    { weight: 1, arbitrary: fc.string() },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
    { weight: 1, arbitrary: fc.json() },
  );
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(frame, { maxLength: 24 }), async (shaken, frames) => {
      const peer = await Peer.open(under.url, under.token('user'));
      if (shaken) await peer.shake();
      for (const text of frames) peer.socket.send(text);
      await until(
        () => peer.heard.length >= frames.length || peer.closed !== undefined,
        'an answer to each frame',
      );
      peer.socket.terminate();
      await bystander.request('ping', {});
    }),
    { numRuns: 60 },
  );
  t.equal(under.plane.store.nodes.list().length, 0);
  t.pass('served throughout');
});
