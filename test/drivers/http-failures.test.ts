import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { certificateFor } from '../support/certificate.js';
import { callOf, openDescriptors, resultOf } from '../support/drivers.js';
import { until } from '../support/until.js';
import { httpDriver } from '../support/http-runtime.js';
import { httpServer, json } from '../support/http-server.js';
import { failsWith } from '../suites/driver-suite.js';

t.test('each status has its errno', async (t) => {
  const server = await httpServer(t, ({ url }, response) => {
    const status = Number(url.slice(1));
    json(response, { type: 'about:blank', error: { message: `reason ${status}` } }, status);
  });
  const driver = httpDriver(t, { url: `${server.origin}/{payload.status}`, retries: 0 });
  const table: [string, boolean, number[]][] = [
    ['EINVAL', true, [400, 405, 406, 409, 412, 413, 415, 418, 422, 431]],
    ['EACCES', false, [401, 402, 403, 407, 451]],
    ['ENOENT', true, [404, 410]],
    ['EBUSY', false, [425, 429]],
    ['ETIMEDOUT', false, [408]],
    ['EIO', false, [304, 500, 501, 502, 503, 504, 507, 599]],
  ];
  for (const [code, ofRequest, statuses] of table)
    for (const status of statuses) {
      const outcome = await driver.invoke(callOf({ status }));
      failsWith(t, outcome, code, new RegExp(`answered .*${status}`));
      t.equal(!outcome.ok && outcome.ofRequest === true, ofRequest, `${status}: whose fault it is`);
      if (status >= 400 && !outcome.ok) t.match(outcome.error.message, new RegExp(`: reason ${status}$`));
    }
});

t.test('what is put off is asked again, where the method allows it, as the server says when', async (t) => {
  let failures = 0;
  const server = await httpServer(t, (_got, response) => {
    if (failures-- > 0) json(response, {}, 429, { 'retry-after': '0' });
    else json(response, { done: true });
  });
  failures = 2;
  const call = callOf({});
  t.same(resultOf(await httpDriver(t, { url: server.origin }).invoke(call)), { done: true });
  t.equal(server.got.length, 3);
  t.match(call.heard.stderr, /429.*Asked again in \d+ ms \(1 of 2\).*\(2 of 2\)/s);
  failures = 1;
  failsWith(t, await httpDriver(t, { url: server.origin, method: 'POST' }).invoke(callOf({})), 'EBUSY');
  t.equal(server.got.length, 4, 'what is not idempotent is sent once');
  failures = 3;
  failsWith(t, await httpDriver(t, { url: server.origin }).invoke(callOf({})), 'EBUSY');
  t.equal(server.got.length, 7);
});

t.test('a time to wait that is longer than the call is answered at once', async (t) => {
  const server = await httpServer(t, ({ url }, response) =>
    json(response, {}, 429, {
      'retry-after': url === '/date' ? new Date(Date.now() + 3600_000).toUTCString() : '3600',
    }),
  );
  for (const path of ['/seconds', '/date']) {
    const outcome = await httpDriver(t, { url: server.origin + path }).invoke(callOf({}));
    failsWith(t, outcome, 'EBUSY');
    t.match(outcome.ok ? '' : outcome.error.hint, /Try again in 3[56]\d\d s/);
  }
  t.equal(server.got.length, 2);
});

t.test('compressed answers are decoded, and never beyond the limit', async (t) => {
  const text = JSON.stringify({ text: 'a'.repeat(100_000) });
  const codecs = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };
  const server = await httpServer(t, ({ url }, response) => {
    const headers = { 'content-type': 'application/json' };
    if (url === '/bomb') {
      const inner = gzipSync(Buffer.alloc(200_000_000));
      return void response.writeHead(200, { ...headers, 'content-encoding': 'gzip' }).end(inner);
    }
    if (url === '/twice')
      return void response
        .writeHead(200, { ...headers, 'content-encoding': 'gzip, br' })
        .end(brotliCompressSync(gzipSync(text)));
    if (url === '/lies')
      return void response.writeHead(200, { ...headers, 'content-encoding': 'gzip' }).end(text);
    if (url === '/cut')
      return void response
        .writeHead(200, { ...headers, 'content-encoding': 'gzip' })
        .end(gzipSync(text).subarray(0, 60));
    if (url === '/unknown')
      return void response.writeHead(200, { ...headers, 'content-encoding': 'lzma' }).end(text);
    const encoding = url.slice(1) as keyof typeof codecs;
    response.writeHead(200, { ...headers, 'content-encoding': encoding }).end(codecs[encoding](text));
  });
  const get = (path: string) => httpDriver(t, { url: `${server.origin}/${path}` }).invoke(callOf({}));
  for (const path of [...Object.keys(codecs), 'twice'])
    t.equal((resultOf(await get(path))['text'] as string).length, 100_000, path);
  const before = process.memoryUsage().rss;
  failsWith(t, await get('bomb'), 'EIO', /larger than 4194304 bytes/);
  t.ok(process.memoryUsage().rss - before < 150_000_000, 'it is never held whole');
  failsWith(t, await get('lies'), 'EIO', /compressed, and it is not/);
  failsWith(t, await get('cut'), 'EIO', /compressed, and it is not/);
  failsWith(t, await get('unknown'), 'EIO', /not asked for/);
});

t.test('a hundred megabytes are refused at once, or once they are too many', async (t) => {
  const chunk = Buffer.alloc(1_000_000, 'x');
  let written = 0;
  const server = await httpServer(t, async ({ url }, response) => {
    response.writeHead(200, {
      'content-type': 'text/plain',
      ...(url === '/said' ? { 'content-length': 100_000_000 } : {}),
    });
    for (let n = 0; n < 100 && !response.destroyed; n++) {
      written += chunk.length;
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
    response.end();
  });
  for (const path of ['/said', '/unsaid'])
    failsWith(
      t,
      await httpDriver(t, { url: server.origin + path }).invoke(callOf({})),
      'EIO',
      /larger than 4194304/,
    );
  t.ok(written < 60_000_000, `${written} bytes were written`);
});

/** A server that speaks bytes: what it answers is up to `answer`. */
async function rawServer(t: Test, answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

t.test('what a broken server says is EIO with a reason, and the next call works', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
  const faults: Record<string, [(socket: Socket) => void, RegExp]> = {
    'no answer at all': [(socket) => socket.destroy(), /ended the connection/],
    'a reset in the middle': [
      (socket) => socket.write(`${head}content-length: 100\r\n\r\n{"a":`, () => socket.resetAndDestroy()),
      /ended the connection/,
    ],
    'less than it promised': [
      (socket) => socket.end(`${head}content-length: 100\r\n\r\n{}`),
      /ended the connection/,
    ],
    'chunks of garbage': [
      (socket) => socket.end(`${head}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n`),
      /not HTTP as it should be/,
    ],
    'no HTTP': [(socket) => socket.end('SSH-2.0-OpenSSH_9.0\r\n\r\n'), /not HTTP as it should be/],
    'two lengths': [
      (socket) => socket.end(`${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`),
      /not HTTP as it should be/,
    ],
    'headers without end': [
      (socket) => socket.write(`${head}x: ${'y'.repeat(100_000)}`),
      /not HTTP as it should be/,
    ],
    'no JSON': [
      (socket) => socket.end(`${head}content-length: 3\r\n\r\n{,}`),
      /should be JSON and is not: "\{,\}"/,
    ],
    'no text': [(socket) => socket.end(`${head}content-length: 1\r\n\r\n\xff`), /should be JSON and is not/],
  };
  for (const [what, [answer, why]] of Object.entries(faults)) {
    let isBroken = true;
    const url = await rawServer(t, (socket) =>
      isBroken ? answer(socket) : socket.end(`${head}content-length: 2\r\n\r\n{}`),
    );
    const driver = httpDriver(t, { url, retries: 0, timeout_ms: 20_000 });
    t.comment(what);
    failsWith(t, await driver.invoke(callOf({})), 'EIO', why);
    isBroken = false;
    t.ok((await driver.invoke(callOf({}))).ok, what);
  }
});

t.test('a request that is broken off is sent again where that is harmless', async (t) => {
  let count = 0;
  const url = await rawServer(t, (socket) => {
    if (++count === 1) socket.destroy();
    else socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
  });
  t.ok((await httpDriver(t, { url }).invoke(callOf({}))).ok);
  t.equal(count, 2);
  count = 0;
  failsWith(
    t,
    await httpDriver(t, { url, method: 'POST' }).invoke(callOf({})),
    'EIO',
    /ended the connection/,
  );
  t.equal(count, 1);
});

t.test(
  'a server that is slow, in its headers or its body, is ETIMEDOUT; cancelling ends the request',
  async (t) => {
    let closed = 0;
    const server = await httpServer(t, ({ url }, response) => {
      response.on('close', () => closed++);
      if (url !== '/headers') response.writeHead(200, { 'content-type': 'application/json' }).write('{"a":');
    });
    for (const path of ['/headers', '/body'])
      failsWith(
        t,
        await httpDriver(t, { url: server.origin + path, timeout_ms: 300 }).invoke(callOf({})),
        'ETIMEDOUT',
        /did not answer within 300 ms/,
      );
    for (const path of ['/headers', '/body']) {
      const call = callOf({});
      const before = server.got.length;
      const running = httpDriver(t, { url: server.origin + path }).invoke(call);
      await until(() => server.got.length > before, 'the request is there');
      call.cancel();
      failsWith(t, await running, 'ECANCELED');
    }
    await until(() => closed === 4, 'the server sees all four end');
  },
);

t.test('hosts that are not there are EIO with the reason', async (t) => {
  const gone = await httpServer(t, () => undefined);
  await gone.close();
  failsWith(
    t,
    await httpDriver(t, { url: gone.origin, retries: 0 }).invoke(callOf({})),
    'EIO',
    /refuses connections/,
  );
  const unknown = httpDriver(t, { url: 'http://nobody.invalid/', retries: 0 });
  failsWith(
    t,
    await unknown.invoke(callOf({})),
    'EIO',
    /nobody\.invalid (is no host|could not be looked up)/,
  );
});

t.test('a certificate that is not for the host, or of nobody known, is refused', async (t) => {
  const certified = await certificateFor('other.example');
  const server = await httpServer(t, (_got, response) => json(response, {}), certified);
  failsWith(t, await httpDriver(t, { url: server.origin }).invoke(callOf({})), 'EIO', /could not be trusted/);
  t.equal(server.got.length, 0);
  const plain = httpDriver(t, { url: server.origin.replace('https:', 'http:'), retries: 0 });
  failsWith(t, await plain.invoke(callOf({})), 'EIO');
});

t.test('connections are kept, and shared by the services of a node', async (t) => {
  const server = await httpServer(t, (_got, response) => json(response, {}));
  const driver = httpDriver(t, { url: server.origin });
  const before = openDescriptors();
  for (let n = 0; n < 20; n++) t.ok((await driver.invoke(callOf({}))).ok);
  t.ok(server.connections() <= 2, `${server.connections()} connections`);
  await driver.close();
  await until(() => openDescriptors() <= before, 'nothing is left open');
});
