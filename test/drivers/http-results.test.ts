import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { callOf, resultOf } from '../support/drivers.js';
import { httpDriver } from '../support/http-runtime.js';
import { httpServer, json } from '../support/http-server.js';
import { failsWith } from '../suites/driver-suite.js';

t.test('an answer is taken as its content type says', async (t) => {
  const server = await httpServer(t, ({ url }, response) => {
    const [, type = '', text = ''] = decodeURIComponent(url).split('|');
    response.writeHead(200, type === '' ? {} : { 'content-type': type }).end(Buffer.from(text, 'latin1'));
  });
  const get = async (type: string, text: string, more: JsonObject = {}) =>
    resultOf(
      await httpDriver(t, {
        url: `${server.origin}/${encodeURIComponent(`|${type}|${text}`)}`,
        ...more,
      }).invoke(callOf({})),
    );
  t.same(await get('application/problem+json; charset=utf-8', '{"a":1}'), { a: 1 });
  t.same(await get('text/html; charset=iso-8859-1', '<p>\xfc'), { text: '<p>ü' });
  t.same(await get('image/png', '\0\xff'), { content_type: 'image/png', base64: 'AP8=' });
  t.same(await get('text/plain', '[1]', { output: 'json' }), [1]);
  t.same(await get('application/json', '{', { output: 'text' }), { text: '{' });
  t.same(await get('application/json', ''), {});
});

t.test('parts of an answer become the result, by JSON Pointer and exactly', async (t) => {
  const server = await httpServer(t, (_got, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-left': '3' });
    response.end('{"data":{"id":12345678901234567890,"a/b":[1,{"c":"d"}]},"meta":null}');
  });
  const text = async (more: JsonObject) => {
    const outcome = await httpDriver(t, { url: server.origin, ...more }).invoke(callOf({}));
    return outcome.ok ? Buffer.from(outcome.result).toString() : outcome.error.message;
  };
  t.equal(await text({ result: '/data/id' }), '12345678901234567890');
  t.equal(await text({ result: '/data/a~1b/1/c' }), '"d"');
  t.equal(
    await text({ result: { id: '/data/id', in: { c: '/data/a~1b/1/c' }, none: '/x' } }),
    '{"id":12345678901234567890,"in":{"c":"d"}}',
  );
  t.equal(
    await text({
      response: 'full',
      result: { status: '/status', left: '/headers/x-left', meta: '/body/meta' },
    }),
    '{"status":200,"left":"3","meta":null}',
  );
  t.match(await text({ result: '/nothing' }), /nothing at "\/nothing"/);
});

t.test('pages are put together, up to a bound that is said', async (t) => {
  const server = await httpServer(t, ({ url }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://h');
    const page = Number(searchParams.get('page') ?? 1);
    const items = [`${page}a`, `${page}b`];
    const last = page === 3;
    switch (pathname) {
      case '/link': {
        json(
          response,
          items,
          200,
          last ? {} : { link: `</x>; rel="prev", <${pathname}?page=${page + 1}>; rel="next"` },
        );
        return;
      }
      case '/cursor': {
        json(response, { items, next: last ? null : page + 1, kept: searchParams.get('kept') });
        return;
      }
      case '/url': {
        json(response, {
          items,
          next: last ? '' : `http://127.0.0.1:${server.port}/url?page=${page + 1}`,
        });
        return;
      }
      default: {
        json(response, { items, next: 'http://evil.example/' });
        return;
      }
    }
  });
  const get = async (path: string, pages: JsonObject) =>
    httpDriver(t, { url: server.origin + path, query: { kept: 'yes' }, pages }).invoke(callOf({}));
  const all = { items: ['1a', '1b', '2a', '2b', '3a', '3b'], pages: 3, has_more: false };
  t.same(resultOf(await get('/link', { by: 'link' })), all);
  t.same(
    resultOf(await get('/cursor', { by: 'cursor', next: '/next', query: 'page', items: '/items' })),
    all,
  );
  t.ok(
    server.got.filter(({ url }) => url.startsWith('/cursor')).every(({ url }) => url.includes('kept=yes')),
  );
  t.same(resultOf(await get('/url', { by: 'url', next: '/next', items: '/items' })), all);
  const some = resultOf(await get('/link', { by: 'link', max: 2 }));
  t.same(some, { items: all.items.slice(0, 4), pages: 2, has_more: true });
  failsWith(
    t,
    await get('/evil', { by: 'url', next: '/next', items: '/items' }),
    'EIO',
    /evil\.example.*does not name/,
  );
  failsWith(t, await get('/evil', { by: 'link', items: '/none' }), 'EIO', /no array/);
});

t.test('what comes bit by bit is heard as it comes', async (t) => {
  let more: () => void = () => undefined;
  const server = await httpServer(t, ({ url }, response) => {
    const isSse = url === '/sse';
    response.writeHead(200, { 'content-type': isSse ? 'text/event-stream' : 'application/x-ndjson' });
    response.write(
      isSse ? ': hello\r\nevent: tick\r\nid: 7\r\ndata: {"n":\r\ndata: 1}\r\n\r' : '{"n":1}\n{"n"',
    );
    more = () => response.end(isSse ? '\ndata: [DONE]\n\n' : ':2}\nnot json');
  });
  for (const [path, first, rest, last] of [
    ['/ndjson', '{"n":1}\n', '{"n":2}\n"not json"\n', 'not json'],
    [
      '/sse',
      '{"event":"tick","id":"7","data":{"n":1}}\n',
      '{"id":"7","data":"[DONE]"}\n',
      { id: '7', data: '[DONE]' },
    ],
  ] as const) {
    const call = callOf({});
    const running = httpDriver(t, { url: server.origin + path }).invoke(call);
    if (path === '/ndjson') await call.firstOutput;
    else while (server.got.at(-1)?.url !== path) await new Promise((resolve) => setImmediate(resolve));
    if (path === '/ndjson') t.equal(call.heard.stdout, first);
    more();
    t.same(resultOf(await running), { events: path === '/ndjson' ? 3 : 2, last });
    t.equal(call.heard.stdout, first + rest);
  }
});

t.test('how far a long answer is, is told', async (t) => {
  const body = Buffer.alloc(4_000_000, '"');
  const server = await httpServer(t, (_got, response) => {
    response
      .writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length })
      .end(body);
  });
  const said: { done: number; total: number | null }[] = [];
  const call = {
    ...callOf({}),
    onProgress: (progress: { done: number; total: number | null }) => void said.push(progress),
  };
  const driver = httpDriver(t, { url: server.origin, max_output_bytes: 8_000_000 });
  t.ok((await driver.invoke(call)).ok);
  t.ok(said.length > 1 && said.length <= 102, `${said.length} times`);
  t.match(said.at(-1), { done: body.length, total: body.length });
});
