import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject, Log } from '../../lib/core/index.js';
import { callOf, resultOf } from '../support/drivers.js';
import { until } from '../support/until.js';
import { httpDriver } from '../support/http-runtime.js';
import { httpServer, json } from '../support/http-server.js';
import { temporaryDir, TestNode, USER } from '../support/test-node.js';
import { failsWith } from '../suites/driver-suite.js';

const SECRET = 'sesame "open" 42';

t.test('a secret is in no file, log or error, even if the server repeats it', async (t) => {
  const seen: string[] = [];
  const server = await httpServer(t, ({ url, headers }, response) => {
    const { pathname } = new URL(url, 'http://h');
    const reflected = { headers, url };
    if (pathname === '/ok') {
      json(response, reflected, 200, { 'x-echo': String(headers['x-key']) });
      return;
    }
    if (pathname === '/denied') {
      json(response, { detail: `bad key ${String(headers['x-key'])}`, reflected }, 403);
      return;
    }
    if (pathname === '/text')
      return void response.writeHead(200, { 'content-type': 'text/plain' }).end(JSON.stringify(reflected));
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(`${JSON.stringify(reflected)}\n`);
  });
  const say = (message: string, facts?: object): void => void seen.push(message, JSON.stringify(facts ?? {}));
  const log = { debug: say, info: say, warn: say, error: say, child: () => log } as unknown as Log;
  const manifest: JsonObject = {
    service_id: 'api',
    kind: 'api',
    permissions: { allow_roles: ['admin', 'user'] },
    runtime: {
      type: 'http',
      url: `${server.origin}/{payload.what}`,
      env: { API_KEY: SECRET },
      response: 'full',
      retries: 0,
      auth: [
        { type: 'header', name: 'X-Key', prefix: 'Key ', value_env: 'API_KEY' },
        { type: 'basic', username: 'me', password_env: 'API_KEY' },
        { type: 'query', name: 'key', value_env: 'API_KEY' },
      ],
    },
  };
  const node = await TestNode.start(t, [manifest], { allowPrivate: ['loopback'], log });
  for (const what of ['ok', 'text', 'stream']) {
    await node.write(node.path('api', 'control/invoke.json'), JSON.stringify({ what }), USER);
    seen.push(await node.read(node.path('api', 'result.json'), USER));
  }
  for (const job of (await node.names(node.path('api', 'jobs'), USER)).filter((name) => /^\d/.test(name)))
    for (const name of ['result.json', 'stdout', 'stderr', 'status.json'])
      seen.push(await node.read(node.path('api', `jobs/${job}/${name}`), USER));
  t.match(seen.join('\n'), /\[secret\]/, 'the server did repeat it');
  await t.rejects(node.write(node.path('api', 'control/invoke.json'), '{"what":"denied"}', USER), {
    code: 'EACCES',
  });
  for (const name of await node.names(node.path('api', '')))
    if (/\.(json|txt|md|ndjson)$/.test(name)) seen.push(await node.read(node.path('api', name)));
  seen.push(await node.read(node.path('api', 'last_error.txt'), USER));
  t.match(seen.at(-1), /answered GET \/denied with 403: bad key Key \[secret\]/);
  const forms = [
    SECRET,
    'sesame',
    JSON.stringify(SECRET).slice(1, -1),
    encodeURIComponent(SECRET),
    'c2VzYW1l',
    Buffer.from(`me:${SECRET}`).toString('base64'),
  ];
  for (const form of forms)
    t.notOk(
      seen.some((text) => text.includes(form)),
      form,
    );
  const got = server.got[0]!;
  t.equal(got.headers['x-key'], `Key ${SECRET}`);
  t.equal(got.headers.authorization, `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`);
});

t.test('a secret in a file is read for each call; one that others may read, or none, is EIO', async (t) => {
  const server = await httpServer(t, ({ headers }, response) =>
    json(response, { got: headers.authorization?.length }),
  );
  const folder = temporaryDir(t);
  const file = join(folder, 'token');
  const runtime = { url: server.origin, auth: { type: 'bearer', token_file: './token' } };
  const driver = httpDriver(t, runtime, { folder });
  t.match(driver.fault?.message, /token, which should hold a secret of this service, is not there/);
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /is not there/);
  writeFileSync(file, 'first-token\n', { mode: 0o600 });
  t.same(resultOf(await driver.invoke(callOf({}))), { got: 'Bearer first-token'.length });
  await until(() => driver.fault === null, 'the fault is over');
  writeFileSync(file, 'second\n');
  t.same(resultOf(await driver.invoke(callOf({}))), { got: 'Bearer second'.length });
  for (const [text, mode, why] of [
    ['third-token', 0o644, /open to other accounts/],
    ['', 0o600, /is empty/],
    ['two\nlines-of-secret', 0o600, /control character/],
  ] as const) {
    writeFileSync(file, text);
    chmodSync(file, mode);
    const outcome = await driver.invoke(callOf({}));
    failsWith(t, outcome, 'EIO', why);
    if (text !== '' && !outcome.ok) t.notMatch(outcome.error.sentence, new RegExp(text.slice(0, 5)));
  }
  const unset = httpDriver(t, {
    url: server.origin,
    auth: { type: 'bearer', token_env: 'NO_SUCH_VARIABLE_HERE' },
  });
  failsWith(t, await unset.invoke(callOf({})), 'EIO', /NO_SUCH_VARIABLE_HERE.*is not set/);
});

t.test('a client gets its token once, and another when that is refused or old', async (t) => {
  let tokens = 0;
  let isRefused = false;
  const server = await httpServer(t, ({ url, headers, body }, response) => {
    if (url !== '/token') {
      if (headers.authorization !== `Bearer token-number-${tokens}`) {
        json(response, {}, 401);
        return;
      }
      json(response, { headers });
      return;
    }
    if (isRefused) {
      json(
        response,
        { error: 'invalid_client', error_description: `no ${String(headers.authorization)}` },
        401,
      );
      return;
    }
    tokens++;
    const asked = new URLSearchParams(body.toString());
    t.match(Object.fromEntries(asked), { grant_type: 'client_credentials', scope: 'read', audience: 'api' });
    json(response, { access_token: `token-number-${tokens}`, token_type: 'bearer', expires_in: 3600 });
  });
  const auth: JsonObject = {
    type: 'oauth2',
    token_url: `${server.origin}/token`,
    client_id: 'me',
    client_secret_env: 'CLIENT_SECRET',
    scope: 'read',
    audience: 'api',
  };
  const env = { CLIENT_SECRET: 'client-secret-9' };
  const driver = httpDriver(t, { url: `${server.origin}/api`, auth, env });
  await Promise.all(Array.from({ length: 5 }, async () => t.ok((await driver.invoke(callOf({}))).ok)));
  t.equal(tokens, 1);
  const shown = JSON.stringify(resultOf(await driver.invoke(callOf({}))));
  t.notMatch(shown, /token-number/);
  tokens++;
  failsWith(t, await driver.invoke(callOf({})), 'EACCES', /401/);
  t.ok((await driver.invoke(callOf({}))).ok, 'the next call asks for another');
  isRefused = true;
  const refused = await httpDriver(t, { url: `${server.origin}/api`, auth, env }).invoke(callOf({}));
  failsWith(t, refused, 'EACCES', /gives no token/);
  t.notMatch(refused.ok ? '' : refused.error.sentence, /client-secret-9/);
  const far = { ...auth, token_url: 'http://10.1.2.3/token' };
  failsWith(
    t,
    await httpDriver(t, { url: server.origin, auth: far, env }).invoke(callOf({})),
    'EACCES',
    /10\.1\.2\.3 is not a public/,
  );
});
