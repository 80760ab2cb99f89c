import { connect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import fc from '../support/properties.js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { runPlane, type RunningPlane } from '../../lib/compose/index.js';
import { extent } from '../support/extent.js';
import { RawClient } from '../support/raw-client.js';
import { temporaryDir } from '../support/store.js';
import { ControlClient } from '../../lib/control/index.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { heapBytes } from '../support/garbage.js';
import { until } from '../support/until.js';

/** How often each kind of peer comes: `ACHERON_FUZZ_RUNS=2000`. */
const RUNS = extent('ACHERON_FUZZ_RUNS', { short: 40, long: 2000 });
const HALF_OPEN = 1000;

interface Under {
  readonly plane: RunningPlane;
  readonly port: number;
  readonly token: string;
}

/** A control plane as it runs, with a user token. */
async function planeUnder(t: Test): Promise<Under> {
  const stateDir = temporaryDir(t);
  const plane = await runPlane({
    stateDir,
    port: 0,
    limits: { handshakeTimeoutMs: 1_000 },
  });
  t.teardown(() => plane.close());
  const token = readFileSync(join(stateDir, 'user.token'), 'utf8').trim();
  return { plane, port: plane.control.port, token };
}

/** Valid peers of both endpoints, which must be answered whatever the others do. */
class Bystander {
  readonly #control: ControlClient;
  readonly #files: RawClient;
  slowestMs = 0;

  private constructor(control: ControlClient, files: RawClient) {
    this.#control = control;
    this.#files = files;
  }

  static async join(t: Test, { plane, token }: Under): Promise<Bystander> {
    const control = new ControlClient({ url: plane.url, token }).start();
    t.teardown(() => control.close());
    await control.ready();
    const files = await RawClient.connect(`${plane.url}/v2/fs`, token);
    t.teardown(() => files.socket.terminate());
    await files.ask('t_fs_hello', {}, { protocol: 'unified-v2-fs', proto: 2 });
    return new Bystander(control, files);
  }

  /** @throws Error where one of them is not served as ever. */
  async look(): Promise<void> {
    const start = performance.now();
    await this.#control.request('ping', {});
    const found = await this.#files.ask('t_fs_lookup', { node: 1 }, { name: 'README.md' });
    if (found.type !== 'acheron.r_fs_lookup') throw new Error(JSON.stringify(found));
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
  }
}

const ENDPOINTS = ['/', '/v2/fs'] as const;
const KEYS = [
  'node',
  'h',
  'tag',
  's',
  'n',
  'fid',
  'msize',
  'id',
  'ok',
  '__proto__',
  'constructor',
  'prototype',
];
const FIELDS = [
  'name',
  'path',
  'flags',
  'mode',
  'offset',
  'count',
  'data_b64',
  'cookie',
  'plus',
  'oldtag',
  'nodes',
];
const WORDS = [
  'README.md',
  'nodes',
  '..',
  '.',
  '',
  'a/b',
  '\0',
  '__proto__',
  'constructor',
  'r',
  'rw',
  'AAAA',
  '!!',
];
const FS_TYPES = [
  'lookup',
  'getattr',
  'readdirp',
  'open',
  'read',
  'write',
  'close',
  'flush',
  'setattr',
  'create',
];
const MORE_TYPES = [
  'mkdir',
  'unlink',
  'rename',
  'link',
  'symlink',
  'readlink',
  'access',
  'statfs',
  'getxattr',
];
const OTHERS = [
  'setxattr',
  'listxattr',
  'cancel',
  'forget',
  'hello',
  'exports',
  '__proto__',
  'toString',
  'nothing',
];

const value = fc.oneof(
  fc.constantFrom<unknown>(...WORDS, 0, 1, 2, -1, 1.5, 2 ** 53, 1e308, null, true, [], {}),
  fc.nat({ max: 64 }),
  fc.jsonValue({ maxDepth: 2 }),
);
const object = (keys: readonly string[]): fc.Arbitrary<object> =>
  fc
    .array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries) as object);
const type = fc.oneof(
  fc.constantFrom(...FS_TYPES, ...MORE_TYPES, ...OTHERS).map((name) => `acheron.t_fs_${name}`),
  fc.constantFrom('acheron.t_version', 'acheron.t_attach', 'acheron.e_fs_synced', 'acheron.e_session'),
  fc.constantFrom('acheron.r_fs_read', 'control.ping', 'control.connect', 'control.node_get', 'ping', ''),
);
/** Objects that are written by hand, so that `__proto__` is a key of their own. */
const polluting = fc.constantFrom(
  '{"channel":"acheron","type":"acheron.t_fs_lookup","tag":1,"node":1,"payload":{"__proto__":{"polluted":1},"name":"x"}}',
  '{"__proto__":{"polluted":1,"channel":"control","type":"control.ping"}}',
  '{"channel":"control","type":"control.ping","id":"1","payload":{"constructor":{"prototype":{"polluted":1}}}}',
);
const message: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(type, object(KEYS), object(FIELDS), fc.constantFrom('acheron', 'control', 'x'))
      .map(([type, root, payload, channel]) =>
        JSON.stringify({ channel, type, tag: 5, node: 1, ...root, payload }),
      ),
  },
  { weight: 1, arbitrary: polluting },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  { weight: 1, arbitrary: fc.nat({ max: 40_000 }).map((depth) => '['.repeat(depth)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 1_100_000 }).map((length) => 'x'.repeat(length)) },
);

/** Sends a message whole, or cut into frames. */
function send(socket: WebSocket, data: string | Uint8Array, pieces: number): void {
  const size = Math.ceil(data.length / pieces);
  for (let at = 0, last = false; !last; at += size) {
    last = at + size >= data.length;
    socket.send(data.slice(at, at + size), { binary: typeof data !== 'string', fin: last });
  }
}

t.test('[P] no messages on either endpoint, whole or in fragments, disturb a valid peer', async (t) => {
  const under = await planeUnder(t);
  const bystander = await Bystander.join(t, under);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ENDPOINTS),
      fc.boolean(),
      fc.array(fc.tuple(message, fc.integer({ min: 1, max: 4 })), { maxLength: 30 }),
      async (path, saysHello, messages) => {
        const peer = new WebSocket(`${under.plane.url}${path}`, {
          headers: { authorization: `Bearer ${under.token}` },
          perMessageDeflate: false,
        });
        peer.on('error', () => undefined);
        await new Promise((resolve) => peer.once('open', resolve));
        if (saysHello) for (const hello of HELLOS[path]) peer.send(hello);
        for (const [data, pieces] of messages) send(peer, data, data.length === 0 ? 1 : pieces);
        await bystander.look();
        peer.terminate();
      },
    ),
    { numRuns: RUNS },
  );
  t.equal((Object.prototype as { polluted?: unknown }).polluted, undefined);
  t.pass(`the slowest answer to the valid peers took ${Math.round(bystander.slowestMs)} ms`);
});

const HELLOS: Readonly<Record<(typeof ENDPOINTS)[number], readonly string[]>> = {
  '/': [
    '{"channel":"control","type":"control.version","id":"1","payload":{"protocol":"unified-v2"}}',
    '{"channel":"control","type":"control.connect","id":"2"}',
  ],
  '/v2/fs': [
    '{"channel":"acheron","type":"acheron.t_fs_hello","tag":1,"payload":{"protocol":"unified-v2-fs","proto":2,"capabilities":{"binary":true}}}',
  ],
};

/** A raw socket that has upgraded, and may send what no WebSocket library would. */
async function upgraded({ port, token }: Under, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  );
  const [answer] = await new Promise<[Buffer]>((resolve) => socket.once('data', (bytes) => resolve([bytes])));
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(answer.toString('latin1'));
  return socket;
}

t.test(
  '[P] bytes that are no WebSocket frames close the connection that sent them, and no other',
  async (t) => {
    const under = await planeUnder(t);
    const bystander = await Bystander.join(t, under);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ENDPOINTS),
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 8 }),
        async (path, pieces) => {
          const socket = await upgraded(under, path);
          socket.resume();
          for (const piece of pieces) socket.write(piece);
          await bystander.look();
          socket.destroy();
        },
      ),
      { numRuns: RUNS },
    );
    const broken: readonly (readonly number[])[] = [
      [0x81, 0x05, 1, 2, 3, 4, 5], // not masked
      [0x83, 0x80, 0, 0, 0, 0], // a reserved opcode
      [0xf1, 0x80, 0, 0, 0, 0], // reserved bits
      [0x80, 0x80, 0, 0, 0, 0], // a continuation of nothing
      [0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0], // a ping of 256 bytes
      [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], // not UTF-8
      [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // 2^63 bytes
    ];
    for (const path of ENDPOINTS)
      for (const bytes of broken) {
        const socket = await upgraded(under, path);
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.resume();
        socket.write(Buffer.from(bytes));
        await closed;
      }
    await bystander.look();
    t.pass('each of them was cut off');
  },
);

/** What is in use after garbage was collected, MiB. */
const usedMebibytes = (): number => (heapBytes() + process.memoryUsage().external) / 1024 / 1024;

t.test(
  '[P] a thousand half-open connections and slow writers are outlived; memory returns to where it was',
  async (t) => {
    const under = await planeUnder(t);
    const bystander = await Bystander.join(t, under);
    await storm(under, bystander, 50);
    const before = usedMebibytes();
    await storm(under, bystander, HALF_OPEN);
    let after = Infinity;
    await until(
      () => (after = usedMebibytes()) < before + 8,
      `memory to return to ${before.toFixed(1)} MiB`,
    ).catch(() => undefined);
    t.ok(after < before + 8, `${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after`);
    t.equal(under.plane.control.metrics.connections.total, 1, 'only the valid peer is connected');
  },
);

/** Connections of every kind that do not come to the point, until the server has closed them all. */
async function storm(under: Under, bystander: Bystander, count: number): Promise<void> {
  let open = 0;
  const sockets = Array.from({ length: count }, (_, n) => {
    const socket = connect(under.port, '127.0.0.1');
    open++;
    socket.on('error', () => undefined);
    socket.on('close', () => open--);
    socket.resume();
    if (n % 4 === 1) socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1');
    return socket;
  });
  const late = await Promise.all(
    Array.from({ length: count / 10 }, (_, n) => upgraded(under, ENDPOINTS[n % 2]!)),
  );
  // A frame that never ends: a megabyte is announced, and comes a byte at a time.
  for (const socket of late)
    socket.resume().write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0, 0, 0, 0, 0]));
  for (let byte = 0; byte < 5; byte++) {
    for (const socket of late) if (socket.writable) socket.write('x');
    await bystander.look();
  }
  await until(() => late.every((socket) => socket.destroyed), 'slow frames to be given up');
  await bystander.look();
  for (const socket of sockets) socket.destroy();
  await until(() => open === 0, 'all sockets to be closed');
  await bystander.look();
}
