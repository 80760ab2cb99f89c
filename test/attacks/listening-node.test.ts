import { request } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { ListeningNode } from '../support/listening-node.js';
import { RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';

const SLOW = { timeout: 180_000 };

interface Answer {
  readonly status: number;
  readonly body: string;
}

function get(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    });
    asked.on('error', reject).end();
  });
}

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
};

t.test(
  'a listening node keeps browsers, foreign names and strangers out as a control plane does',
  SLOW,
  async (t) => {
    const node = await ListeningNode.start(t, ['--allow-host', 'lone.example']);
    const { port } = node;
    t.match(await get(port, '/healthz'), { status: 200, body: 'ok\n' });
    t.match(await get(port, '/healthz', { host: 'evil.example' }), { status: 403 });
    t.match(await get(port, '/healthz', { host: 'lone.example' }), { status: 200 });
    const bearer = { authorization: `Bearer ${node.token('admin')}` };
    t.match(await get(port, '/v2/fs', { ...UPGRADE, ...bearer, origin: 'https://evil.example' }), {
      status: 403,
    });
    t.match(await get(port, '/v2/fs', { ...UPGRADE, ...bearer, host: 'evil.example' }), { status: 403 });
    t.match(await get(port, '/v2/fs', { ...UPGRADE, authorization: 'Bearer acheron_user_x' }), {
      status: 401,
    });

    const stranger = await RawClient.connect(`${node.url}/v2/fs`);
    t.teardown(() => stranger.close());
    const denied = await stranger.ask(
      't_fs_hello',
      {},
      { protocol: 'unified-v2-fs', proto: 2, auth_token: 'no' },
    );
    t.match(denied, { type: 'acheron.err_fs', error: { errno: 13 } });
    t.equal(await stranger.closed, 1008, 'and is hung up on');
    const talker = await RawClient.connect(`${node.url}/v2/fs`);
    talker.send('x'.repeat(200 * 1024));
    t.equal(await talker.closed, 1009, 'a stranger cannot send what is large');
    const welcome = await RawClient.connect(`${node.url}/v2/fs`);
    t.teardown(() => welcome.close());
    const hello = { protocol: 'unified-v2-fs', proto: 2, auth_token: node.token('user') };
    t.match(await welcome.ask('t_fs_hello', {}, hello), { type: 'acheron.r_fs_hello' });
    t.match(await welcome.ask('t_fs_lookup', { node: 1 }, { path: 'nodes/lone' }), {
      payload: { kind: 'dir' },
    });

    const pairing = await RawClient.connect(node.url);
    t.teardown(() => pairing.close());
    const control = (id: string, type: string, payload: object): void =>
      pairing.send({ channel: 'control', type: `control.${type}`, id, payload });
    control('1', 'version', { protocol: 'unified-v2' });
    control('2', 'connect', {});
    control('3', 'node_join_request', { node_name: 'other' });
    t.match(await pairing.next(({ id }) => id === '3'), {
      type: 'control.error',
      error: { code: 'forbidden' },
    });
  },
);

t.test(
  'so many strangers as a listening node has room for do not lock out who has a token',
  SLOW,
  async (t) => {
    const node = await ListeningNode.start(t);
    const sockets = Array.from({ length: 1100 }, () => connect(node.port, '127.0.0.1'));
    t.teardown(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) socket.on('error', () => undefined);
    const open = (): number => sockets.filter((socket) => socket.readyState === 'open').length;
    await until(() => sockets.every((socket) => !socket.connecting), 'all to be connected');
    await until(() => open() <= 1024, 'the oldest to make room');
    t.match(await acheron(['ls', '/nodes', ...node.as('user')]), { status: 0 });
  },
);
