import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { isInvocable, readManifest } from '../../lib/manifest/index.js';

function read(runtime: JsonObject) {
  const manifest = { service_id: 'svc', kind: 'api', runtime: { type: 'http', ...runtime } };
  const { definition, faults, warnings } = readManifest(JSON.stringify(manifest), {
    file: '/srv/m/svc.json',
    nodeId: 'n1',
  });
  return {
    definition,
    faults: [...faults, ...warnings].map(({ pointer, message }) => `${pointer}: ${message}`),
  };
}

t.test('a URL is enough; the origin is fixed, and what needs it is encoded', async (t) => {
  const { definition, faults } = read({
    url: 'HTTPS://API.Example.com:443/a b/{payload.x}?q=ü&n={payload.n}',
  });
  t.same(faults, []);
  t.match(definition?.runtime, {
    type: 'http',
    method: 'GET',
    origin: 'https://api.example.com',
    path: '/a%20b/{payload.x}?q=%C3%BC&n={payload.n}',
    origins: ['https://api.example.com'],
    retries: 2,
    redirects: 0,
    auth: [],
  });
  t.ok(isInvocable(definition!.descriptor));
  t.match(read({ url: 'http://h', method: 'POST' }).definition?.runtime, { path: '/', retries: 0 });
  t.match(read({ url: 'http://h:81', hosts: ['B.example', 'c:8080', '[::1]:3'] }).definition?.runtime, {
    origins: ['http://h:81', 'http://b.example', 'http://c:8080', 'http://[::1]:3'],
  });
  t.notOk(isInvocable(read({}).definition!.descriptor));
});

t.test('what a URL cannot be is said', async (t) => {
  for (const [url, message] of [
    ['https://{payload.host}/', /may not stand in the host/],
    ['https://a.{payload.x}.b/', /may not stand in the host/],
    ['https://h:{payload.port}/', /may not stand in the host/],
    ['{payload.url}', /is not an http or https URL/],
    ['ftp://h/', /is not an http or https URL/],
    ['https://user:pw@h/', /user name or password/],
    ['https://h/#x', /fragment/],
    ['https:///x', /is not a host/],
    ['https://h:99999/', /is not a host/],
    ['https://h/{x}', /\{x\} in the URL is not a placeholder/],
    ['https://h/{payloed.x}', /not a placeholder/],
    ['https://h/{', /not a placeholder/],
  ] as const)
    t.match(read({ url }).faults.join('\n'), message, url);
});

t.test('what others would read is no place for a secret', async (t) => {
  for (const name of ['Authorization', 'cookie', 'X-Api-Key', 'x-token'])
    t.match(
      read({ url: 'http://h', headers: { [name]: 'abc' } }).faults.join(),
      /would show its secret/,
      name,
    );
  t.match(read({ url: 'http://h', query: { api_key: 'abc' } }).faults.join(), /would show its secret/);
  t.same(read({ url: 'http://h', headers: { 'x-token-kind': '{payload.kind}' } }).faults, []);
  for (const name of ['Host', 'content-length', 'Transfer-Encoding', 'connection'])
    t.match(
      read({ url: 'http://h', headers: { [name]: 'x' } }).faults.join(),
      /belongs to the connection/,
      name,
    );
  t.match(read({ url: 'http://h', headers: { x: 'a\r\nb' } }).faults.join(), /"x" must/);
});

t.test('secrets are named, by variable or file, and never both', async (t) => {
  const auth = (value: JsonObject) => read({ url: 'http://h', auth: value });
  t.match(auth({ type: 'bearer', token_file: './token' }).definition?.runtime, {
    auth: [{ type: 'bearer', token: { file: '/srv/m/token' } }],
  });
  t.match(auth({ type: 'basic', username: 'me', password_env: 'PW' }).definition?.runtime, {
    auth: [{ type: 'basic', username: 'me', password: { env: 'PW' } }],
  });
  t.match(auth({ type: 'bearer' }).faults.join(), /does not say where the token is/);
  t.match(
    auth({ type: 'bearer', token_env: 'A', token_file: 'b' }).faults.join(),
    /both a variable and a file/,
  );
  t.match(auth({ type: 'header', value_env: 'A' }).faults.join(), /"name" is missing/);
  t.match(auth({ type: 'bearer', token_env: 'ACHERON_TOKEN' }).faults.join(), /variable of Acheron's own/);
  t.match(
    auth({ type: 'oauth2', token_url: 'nonsense', client_id: 'a', client_secret_env: 'B' }).faults.join(),
    /not an http/,
  );
  const { descriptor } = auth({ type: 'bearer', token_env: 'TOKEN' }).definition!;
  t.match(descriptor['runtime'], { auth: { type: 'bearer', token_env: 'TOKEN' } });
});

t.test('what cannot work is a fault', async (t) => {
  for (const [runtime, message] of [
    [{ body: { json: 1 } }, /GET has no body/],
    [{ method: 'POST', body: { json: 1, text: 'x' } }, /one kind/],
    [{ method: 'POST', body: {} }, /one kind/],
    [{ method: 'POST', retries: 1 }, /POST is never sent twice/],
    [{ pages: { by: 'cursor', next: '/n' } }, /need "query"/],
    [{ pages: { by: 'url' } }, /need "next"/],
    [{ method: 'POST', pages: { by: 'link' } }, /fetched by GET/],
    [{ hosts: ['https://x'] }, /is not a host/],
    [{ hosts: ['a/b'] }, /is not a host/],
    [{ method: 'TRACE' }, /"method" must be/],
    [{ result: 'data' }, /"result" must/],
    [{ query: { a: { style: 'form' } } }, /"value" is missing/],
    [{ auth: { type: 'magic' } }, /"type" must be/],
    [{ auth: [{}] }, /"type" is missing/],
    [{ timeout_ms: 0 }, /"timeout_ms" must be/],
  ] as const)
    t.match(
      read({ url: 'http://h', ...(runtime as JsonObject) }).faults.join('\n'),
      message,
      JSON.stringify(runtime),
    );
  const forgotten = readManifest('{"service_id":"a","kind":"b","runtime":{"url":"http://h"}}', {
    file: '/a.json',
    nodeId: 'n',
  });
  t.match(forgotten.faults[0]?.hint, /Set runtime\.type to "http" or "mcp"/);
});
