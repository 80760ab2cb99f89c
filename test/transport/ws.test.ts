import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, Socket, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import t from 'tap';
import type { CloseReason, Transport } from '../../lib/transport/index.js';
import { connectWs, isInParts } from '../../lib/transport/index.js';
import { until } from '../support/until.js';
import { listenWs, wsPair } from '../support/ws-pair.js';

const options = { maxMessageBytes: 1024 };
// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the socket that it is for
const writev = Socket.prototype._writev!;
/** A masked frame with five bytes in it. */
const FRAME_BYTES = 2 + 4 + 5;
/** By hand: what comes after it is for the test to look at. */
function answerUpgrade(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1')
    .update(`${String(request.headers['sec-websocket-key'])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}
const ended = (transport: Transport): Promise<CloseReason> =>
  new Promise((resolve) => transport.onClose(resolve));

t.test('a message above the limit closes the connection with 1009, and the server goes on', async (t) => {
  const accepted: Transport[] = [];
  const listener = await listenWs((transport) => {
    accepted.push(transport);
    transport.receive((message) => transport.send(message));
  }, 1024);
  t.teardown(() => listener.close());
  const hostile = await connectWs(listener.url, options);
  hostile.send('x'.repeat(2000));
  t.equal((await ended(hostile)).code, 1009);
  const valid = await connectWs(listener.url, options);
  const echo = new Promise((resolve) => valid.receive(resolve));
  valid.send('hello');
  t.equal(await echo, 'hello');
  valid.destroy();
});

t.test('a peer that falls silent is given up', async (t) => {
  const keepalive = { intervalMs: 20, timeoutMs: 40 };
  const silent = createServer();
  silent.on('upgrade', (request, socket) => {
    answerUpgrade(request, socket);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const client = await connectWs(`ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, {
    ...options,
    keepalive,
  });
  const waiting = setInterval(() => undefined, 1000);
  t.equal((await ended(client)).code, 1006);
  clearInterval(waiting);
});

t.test(
  'a server that is there and does not serve is quoted, where it says why in a line of text',
  async (t) => {
    const server = createServer();
    const answers: readonly (readonly [type: string, said: string])[] = [
      ['text/plain', 'The store is away.\n'],
      ['text/html', '<h1>Bad</h1>'],
      ['text/plain', 'x'.repeat(5000)],
      ['text/plain', 'red \x1b[31m'],
    ];
    server.on('upgrade', (request, socket) => {
      const [type, said] = answers[Number(request.url?.slice(1))]!;
      const head = `Connection: close\r\nContent-Type: ${type}\r\nContent-Length: ${said.length}`;
      socket.end(`HTTP/1.1 503 No\r\n${head}\r\n\r\n${said}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const there = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const plain = `${there} is there, but does not serve now (HTTP 503).`;
    for (const [at, message] of [`${plain} The store is away.`, plain, plain, plain].entries())
      await t.rejects(connectWs(`${there}/${at}`, options), { code: 'EHOSTDOWN', message });
  },
);

t.test('a connection that is refused says why by its errno', async (t) => {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const status = Number(request.url?.slice(1));
    socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/`;
  await t.rejects(connectWs(`${url}401`, options), { code: 'EACCES' });
  await t.rejects(connectWs(`${url}403`, options), { code: 'EACCES' });
  await t.rejects(connectWs(`${url}404`, options), { code: 'EPROTO' });
  await t.rejects(connectWs(`${url}503`, options), { code: 'EHOSTDOWN' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const refused = await connectWs(url, { ...options, token: 'sesame' }).catch((thrown: unknown) => thrown);
  t.match(refused, { code: 'EHOSTDOWN' });
  t.notMatch((refused as Error).message, /sesame/);
  await t.rejects(connectWs(url, options), { code: 'EHOSTDOWN' });
  await t.rejects(connectWs('http//nowhere', options), { code: 'EINVAL' });
  const abort = new AbortController();
  abort.abort();
  await t.rejects(connectWs(url, { ...options, signal: abort.signal }), { code: 'ECANCELED' });
});

t.test('bytes that are no WebSocket frames end that connection alone', async (t) => {
  const listener = await listenWs((transport) => transport.receive((message) => transport.send(message)));
  t.teardown(() => listener.close());
  const { hostname, port } = new URL(listener.url);
  const raw = connect(Number(port), hostname);
  raw.write(
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await new Promise((resolve) => raw.once('data', resolve));
  raw.write(Buffer.alloc(64, 0xff));
  await new Promise((resolve) => raw.once('close', resolve));
  const valid = await connectWs(listener.url, options);
  const echo = new Promise((resolve) => valid.receive(resolve));
  valid.send('still here');
  t.equal(await echo, 'still here');
  valid.destroy();
});

t.test('what a client sends is masked, lent content too, each frame with a key of its own', async (t) => {
  const keys = new Set<number>();
  const server = createServer();
  const received = new Promise<void>((resolve) => {
    server.on('upgrade', (request, socket) => {
      answerUpgrade(request, socket);
      let bytes = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        if (bytes.length < 4 * FRAME_BYTES) return;
        for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
          t.equal(bytes[at + 1], 0x80 | 5, 'the mask bit is set');
          keys.add(bytes.readUInt32BE(at + 2));
        }
        socket.destroy();
        resolve();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const client = await connectWs(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
  for (let i = 0; i < 2; i++) client.send('hello');
  client.send([Buffer.from('hello'), Buffer.from('hello')], () => undefined);
  await received;
  t.equal(keys.size, 4);
  client.destroy();
});

t.test('content that is lent arrives as it was, in order, and is given back once it has left', async (t) => {
  const pair = await wsPair();
  t.teardown(() => pair.close());
  for (const [from, to] of [
    [pair.client, pair.server],
    [pair.server, pair.client],
  ] as const) {
    const arrived: string[] = [];
    to.receive((message) => {
      const parts = typeof message === 'string' || isInParts(message) ? message : [message];
      arrived.push(typeof parts === 'string' ? parts : Buffer.concat(parts).toString('latin1'));
    });
    const sent: string[] = [];
    let given = 0;
    for (let i = 0; i < 20; i++) {
      const head = Buffer.from(`head ${i} `);
      const content = Buffer.alloc(20_000 + i * 1001, `content ${i}`);
      sent.push(Buffer.concat([head, content]).toString('latin1'), `text ${i}`);
      from.send([head, content], () => {
        given++;
        content.fill(0); // it is somebody else's by now
      });
      from.send(`text ${i}`);
    }
    await until(() => arrived.length === sent.length && given === 20, 'all of it');
    t.strictSame(arrived, sent);
  }
});

t.test(
  'what is sent in one turn leaves together, and so does what promises that are settled send',
  async (t) => {
    const pair = await wsPair();
    t.teardown(() => pair.close());
    const arrived: string[] = [];
    pair.client.receive((message) => void arrived.push(String(message)));
    let writes = 0;
    const written = new Promise<void>((resolve) => {
      t.intercept(Socket.prototype, '_writev', {
        value(this: Socket, ...args: Parameters<NonNullable<Socket['_writev']>>) {
          writes++;
          resolve();
          writev.apply(this, args);
        },
      });
    });
    const answer = async (): Promise<void> => {
      pair.server.send('news');
      await Promise.resolve().then(() => undefined);
      pair.server.send('answer');
    };
    await new Promise<void>((resolve) => setImmediate(() => void answer().then(resolve)));
    await written;
    await until(() => arrived.length === 2, 'both');
    t.strictSame(arrived, ['news', 'answer']);
    t.equal(writes, 1);
  },
);
