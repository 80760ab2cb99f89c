import fc from 'fast-check';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { callOf, resultOf } from '../support/drivers.js';
import { httpDriver } from '../support/http-runtime.js';
import { httpServer, json } from '../support/http-server.js';
import { failsWith } from '../suites/driver-suite.js';

const server = await httpServer(t, ({ method, url, headers, body }, response) =>
  json(response, {
    method,
    url,
    type: headers['content-type'] ?? null,
    body: body.toString('latin1'),
    headers,
  }),
);

const asked = async (
  t: Parameters<typeof httpDriver>[0],
  runtime: JsonObject,
  payload: JsonObject | Buffer,
) => resultOf(await httpDriver(t, { url: `${server.origin}/`, ...runtime }).invoke(callOf(payload)));

t.test('a value in the path is one segment, whatever it is', async (t) => {
  const driver = httpDriver(t, {
    url: `${server.origin}/users/{payload.user}/repos?q={payload.q}#`.slice(0, -1),
  });
  const cases: [unknown, string][] = [
    ['a/b', 'a%2Fb'],
    ['../../admin', '..%2F..%2Fadmin'],
    ['x?y=1#z', 'x%3Fy%3D1%23z'],
    ['@evil.example', '%40evil.example'],
    ['\\\\evil', '%5C%5Cevil'],
    ['ü 🜏', '%C3%BC%20%F0%9F%9C%8F'],
    ["!'()*~", '%21%27%28%29%2A~'],
    ['\r\nhost: evil', '%0D%0Ahost%3A%20evil'],
    [['a', 'b,c'], 'a,b%2Cc'],
    [{ x: 1, y: 'z' }, 'x,1,y,z'],
    [true, 'true'],
  ];
  for (const [user, path] of cases) {
    const { url } = resultOf(await driver.invoke(callOf({ user, q: 'a&b=c' } as JsonObject)));
    t.equal(url, `/users/${path}/repos?q=a%26b%3Dc`);
  }
  const exact = await driver.invoke(callOf(Buffer.from('{"user":9007199254740993,"q":1}')));
  t.equal(resultOf(exact)['url'], '/users/9007199254740993/repos?q=1');
});

t.test('a value that would name another path is EINVAL, and nothing is sent', async (t) => {
  const driver = httpDriver(t, { url: `${server.origin}/a/{payload.x}/b` });
  const before = server.got.length;
  for (const [x, why] of [
    ['.', /leads elsewhere/],
    ['..', /leads elsewhere/],
    ['', /is empty/],
    [null, /has no "x"/],
    [undefined, /has no "x"/],
    ['\ud800', /surrogate/],
  ] as const)
    failsWith(t, await driver.invoke(callOf(Buffer.from(JSON.stringify({ x })))), 'EINVAL', why);
  t.equal(server.got.length, before);
});

t.test('no value changes the host or the structure of the path', async (t) => {
  const driver = httpDriver(t, { url: `${server.origin}/a/v1.{payload.x}/b` });
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, unit: 'binary' }), async (x) => {
      const outcome = await driver.invoke(callOf({ x }));
      const { url } = resultOf(outcome);
      const { pathname, search, host } = new URL(url as string, 'http://host.example');
      if (host !== 'host.example' || search !== '')
        throw new Error(`${JSON.stringify(x)} gave ${url as string}`);
      const [, a, inner = '', b, ...more] = pathname.split('/');
      if (a !== 'a' || b !== 'b' || more.length > 0) throw new Error(`${JSON.stringify(x)} gave ${pathname}`);
      return decodeURIComponent(inner) === `v1.${x}`;
    }),
    { numRuns: 300 },
  );
});

t.test(
  'parameters without a value are left out; lists and objects are written as OpenAPI says',
  async (t) => {
    const query = {
      none: '{payload.none}',
      null: '{payload.null}',
      fixed: 'a b',
      number: 3,
      list: '{payload.list}',
      joined: { value: '{payload.list}', explode: false },
      spaced: { value: '{payload.list}', style: 'spaceDelimited' },
      piped: { value: '{payload.list}', style: 'pipeDelimited' },
      deep: '{payload.deep}',
      json: { value: '{payload.deep}', style: 'json' },
      mixed: 'is:{payload.list.0}',
    };
    const { url } = await asked(
      t,
      { query },
      { list: ['a', 'b c'], deep: { x: [1, 2], y: null, z: { w: 'v' } }, null: null },
    );
    t.same(
      [...new URL(url as string, 'http://h').searchParams],
      [
        ['fixed', 'a b'],
        ['number', '3'],
        ['list', 'a'],
        ['list', 'b c'],
        ['joined', 'a,b c'],
        ['spaced', 'a b c'],
        ['piped', 'a|b c'],
        ['deep[x][0]', '1'],
        ['deep[x][1]', '2'],
        ['deep[z][w]', 'v'],
        ['json', '{"x":[1,2],"y":null,"z":{"w":"v"}}'],
        ['mixed', 'is:a'],
      ],
    );
  },
);

t.test('no value adds a header, or ends one', async (t) => {
  const driver = httpDriver(t, {
    url: server.origin,
    headers: { 'X-Note': 'n: {payload.note}', 'x-more': '{payload.more}' },
  });
  const { headers } = resultOf(await driver.invoke(callOf({ note: 'fine; "ü"' })));
  t.equal((headers as JsonObject)['x-note'], 'n: fine; "ü"');
  t.notOk(Object.hasOwn(headers as object, 'x-more'));
  const before = server.got.length;
  for (const note of ['a\r\nx-evil: 1', 'a\nb', 'a\0b', '\u{1f70f}'])
    failsWith(t, await driver.invoke(callOf({ note })), 'EINVAL', /x-note has a character/i);
  t.equal(server.got.length, before);
});

t.test('a JSON body keeps the exact values, and leaves out what is not there', async (t) => {
  const body = {
    json: { a: '{payload.n}', b: ['{payload.none}', '{payload.s}'], c: 'x{payload.s}', d: '{payload.none}' },
  };
  const payload = Buffer.from('{"n":1e400, "s":"\\u00fc"}');
  const shown = await asked(t, { method: 'PUT', body }, payload);
  t.match(shown, {
    method: 'PUT',
    type: 'application/json',
    body: Buffer.from('{"a":1e400,"b":["\\u00fc"],"c":"xü"}').toString('latin1'),
  });
  const patch = { json: '{payload}', content_type: 'application/merge-patch+json' };
  t.match(await asked(t, { method: 'PATCH', body: patch }, { x: null }), {
    type: 'application/merge-patch+json',
    body: '{"x":null}',
  });
});

t.test('forms and text', async (t) => {
  const form = { a: '{payload.a}', list: '{payload.list}', none: '{payload.none}' };
  t.match(await asked(t, { method: 'POST', body: { form } }, { a: 'x y&z=ü', list: [1, 2] }), {
    type: 'application/x-www-form-urlencoded',
    body: 'a=x+y%26z%3D%C3%BC&list=1&list=2',
  });
  t.match(await asked(t, { method: 'POST', body: { text: 'hello {payload.who}' } }, { who: 'you' }), {
    type: 'text/plain; charset=utf-8',
    body: 'hello you',
  });
  const base64 = { base64: '{payload.data}', content_type: 'image/png' };
  t.match(
    await asked(t, { method: 'POST', body: base64 }, { data: Buffer.from([0, 255, 1]).toString('base64') }),
    {
      type: 'image/png',
      body: '\0\xff\x01',
    },
  );
});

t.test('multipart parts are values and files of the request, and no name ends its quotes', async (t) => {
  const body = { multipart: { title: '{payload.title}', files: '{payload.files}', none: '{payload.none}' } };
  const files: JsonObject[] = [
    { filename: 'a".txt\r\nx: y', content_type: 'text/plain', text: 'one' },
    { filename: 'b.bin', base64: Buffer.from([1, 2, 3]).toString('base64') },
  ];
  const shown = await asked(t, { method: 'POST', body }, { title: 'T', files });
  const response = new Response(Buffer.from(shown['body'] as string, 'latin1'), {
    headers: { 'content-type': shown['type'] as string },
  });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- a parser that is not ours
  const parts = [...(await response.formData())];
  t.equal(parts.length, 3);
  t.same(parts[0], ['title', 'T']);
  const [first, second] = parts.slice(1).map(([, file]) => file as Blob & { name: string });
  t.equal(await first!.text(), 'one');
  t.equal(first!.type, 'text/plain');
  t.same([...new Uint8Array(await second!.arrayBuffer())], [1, 2, 3]);
  t.equal(second!.name, 'b.bin');
  const bad = httpDriver(t, { method: 'POST', url: server.origin, body });
  failsWith(t, await bad.invoke(callOf({ files: { base64: '%%%' } })), 'EINVAL', /base64/);
});

t.test('facts of the call and the config of the service can be sent', async (t) => {
  const driver = httpDriver(t, {
    url: server.origin,
    headers: { 'Idempotency-Key': '{call.invocation_id}', 'x-agent': '{call.agent_id}' },
    query: { region: '{config.region}' },
  });
  const call = callOf({}, { config: { region: 'eu' } });
  const shown = resultOf(await driver.invoke(call));
  t.match(shown, { url: '/?region=eu', headers: { 'idempotency-key': call.id, 'x-agent': 'agent-7' } });
});
