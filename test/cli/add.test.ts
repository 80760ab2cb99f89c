import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { lineFromFault, readManifest } from '../../lib/manifest/index.js';
import { acheron, Up } from '../support/acheron.js';
import { httpServer, json } from '../support/http-server.js';
import { temporaryDir } from '../support/test-node.js';

/** Adds a service without a node; answers its manifest, which must be right, and what was printed. */
async function added(t: Test, ...words: string[]) {
  const folder = temporaryDir(t);
  const [kind = '', name = '', ...rest] = words;
  const env = { ACHERON_STATE_DIR: join(folder, 'state') };
  const ran = await acheron(['add', kind, '--services-dir', join(folder, 'services'), name, ...rest], {
    cwd: folder,
    env,
  });
  if (ran.status !== 0) return { ...ran, folder, manifest: {} as JsonObject };
  const file = join(folder, 'services', `${name}.json`);
  const text = readFileSync(file, 'utf8');
  const { faults, warnings } = readManifest(text, { file, nodeId: 'n' });
  t.same([...faults, ...warnings].map(lineFromFault), []);
  return { ...ran, folder, manifest: JSON.parse(text) as JsonObject };
}

t.test('a program becomes a service, its placeholders a schema', async (t) => {
  const { manifest, stdout, stderr, folder } = await added(
    t,
    ...[
      'cmd',
      'disk',
      '--allow',
      'user',
      '--timeout',
      '5s',
      '--',
      'df',
      '-h',
      '--output={payload.field}',
      '{payload.path}',
    ],
  );
  t.match(manifest, {
    service_id: 'disk',
    runtime: {
      type: 'native_proc',
      executable_path: 'df',
      args: ['-h', '--output={payload.field}', '{payload.path}'],
      cwd: folder,
      output: 'text',
      timeout_ms: 5000,
    },
    permissions: { allow_roles: ['user'] },
    schema: {
      input: {
        type: 'object',
        required: ['field', 'path'],
        properties: { field: { type: 'string', minLength: 1 }, path: { type: 'string', minLength: 1 } },
        additionalProperties: false,
      },
    },
  });
  t.match(stdout, /^services\/disk\.json\nCall it: acheron invoke disk field=text path=text\n$/);
  t.match(stderr, /acheron up \.\/mnt --services-dir services/);
});

t.test('a request becomes a service: what may be left out is not required', async (t) => {
  const url = 'https://api.example.com/repos/{payload.owner}/issues?state={payload.state}&per_page=100';
  const { manifest } = await added(
    t,
    'http',
    'issues',
    url,
    '--auth',
    'bearer=GITHUB_TOKEN',
    '--header',
    'X-Kind: k-{payload.kind}',
  );
  t.match(manifest['runtime'], {
    type: 'http',
    method: 'GET',
    url: 'https://api.example.com/repos/{payload.owner}/issues',
    query: { state: '{payload.state}', per_page: '100' },
    headers: { 'X-Kind': 'k-{payload.kind}' },
    auth: { type: 'bearer', token_env: 'GITHUB_TOKEN' },
  });
  t.same((manifest['schema'] as JsonObject)['input'], {
    type: 'object',
    required: ['owner', 'kind'],
    properties: {
      owner: { type: ['string', 'integer'], minLength: 1 },
      state: { type: ['string', 'number', 'boolean'] },
      kind: { type: ['string', 'number', 'boolean'] },
    },
    additionalProperties: false,
  });
  const body = '{"title":"{payload.title}","n":"{payload.n}","deep":{"x":"a {payload.a.b}"}}';
  const post = await added(
    t,
    'http',
    'make',
    'post',
    'https://h/',
    '--body',
    body,
    '--type',
    'n=integer?',
    '--type',
    'title=string',
  );
  t.match(post.manifest, { runtime: { method: 'POST', body: { json: JSON.parse(body) as JsonObject } } });
  t.match((post.manifest['schema'] as JsonObject)['input'], {
    required: ['title', 'a'],
    properties: { n: { type: 'integer' }, a: { required: ['b'], properties: { b: {} } } },
  });
  const all = await added(t, 'http', 'all', 'PUT', 'https://h/{payload.id}');
  t.match(all.manifest, {
    runtime: { body: { json: '{payload}' } },
    schema: { input: { required: ['id'], additionalProperties: true } },
  });
});

t.test('an MCP server is a program or an address', async (t) => {
  const program = await added(t, 'mcp', 'files', '--', 'npx', '-y', 'server', '/srv');
  t.match(program.manifest['runtime'], { type: 'mcp', command: 'npx', args: ['-y', 'server', '/srv'] });
  const address = await added(
    t,
    'mcp',
    'far',
    'https://mcp.example.com/',
    '--header',
    'Authorization: Bearer {env.TOKEN}',
  );
  t.match(address.manifest['runtime'], {
    type: 'mcp',
    url: 'https://mcp.example.com/',
    headers: { Authorization: 'Bearer {env.TOKEN}' },
  });
});

t.test("what follows the program is the program's, also what looks like an option of ours", async (t) => {
  for (const [words, runtime] of [
    [['cmd', 'x', 'df', '-h', '--json'], { executable_path: 'df', args: ['-h', '--json'] }],
    [
      ['cmd', 'x', '--timeout', '5s', '--output=json', 'git', 'log', '--output', 'f', '--', 'a'],
      {
        executable_path: 'git',
        args: ['log', '--output', 'f', '--', 'a'],
        output: 'json',
        timeout_ms: 5000,
      },
    ],
    [['cmd', 'x', '--', 'ls', '--', '-h'], { executable_path: 'ls', args: ['--', '-h'] }],
    [['mcp', 'x', 'npx', '-y', 'server', '--help'], { command: 'npx', args: ['-y', 'server', '--help'] }],
  ] as const) {
    const { status, stderr, manifest } = await added(t, ...words);
    t.equal(status, 0, stderr);
    t.match(manifest['runtime'], runtime);
  }
  for (const words of [
    ['add', 'cmd', '-h'],
    ['add', 'cmd', 'x', '-h'],
    ['add', '-h'],
  ]) {
    const { status, stdout } = await acheron(words);
    t.equal(status, 0);
    t.match(stdout, /^Usage: acheron add/);
  }
});

t.test('what cannot work is said, and nothing is written', async (t) => {
  for (const [words, why] of [
    [['http', 'x', 'https://{payload.host}/'], /may not stand in the host/],
    [['http', 'x', 'FETCH', 'https://h/'], /"FETCH" is no method/],
    [['http', 'x', 'https://h/', '--header', 'Authorization: abc'], /would show its secret/],
    [['http', 'x', 'https://h/?a=1&a=2'], /is there twice/],
  ] as const) {
    const { status, stderr, folder } = await added(t, ...words);
    t.equal(status, 1);
    t.match(stderr, why);
    t.notOk(existsSync(join(folder, 'services', 'x.json')));
  }
  for (const words of [
    ['http', 'x', 'https://h/', '--auth', 'abc'],
    ['cmd', 'a/b', '--', 'ls'],
    ['cmd', 'x', '--type', 'n=int', '--', 'ls'],
  ])
    t.equal((await added(t, ...words)).status, 2, words.join(' '));
  const folder = temporaryDir(t);
  const nowhere = { ACHERON_STATE_DIR: join(folder, 'state') };
  const lost = await acheron(['add', 'cmd', 'x', '--', 'ls'], { env: nowhere });
  t.equal(lost.status, 1);
  t.match(lost.stderr, /No node is running[^]*--services-dir/);
});

t.test('with a node that runs, it goes where the node looks, is there at once, and goes again', async (t) => {
  const server = await httpServer(t, ({ url }, response) => json(response, { url }));
  const up = await Up.start(t, { manifests: [], args: ['--allow-private', 'loopback'] });
  const env = { ACHERON_STATE_DIR: up.stateDir };
  const run = (...words: string[]) => acheron(words, { env });
  const http = await run('add', 'http', 'look', `${server.origin}/{payload.what}?n={payload.n}`);
  t.equal(http.status, 0, http.stderr);
  const looked = await run('invoke', 'look', 'what=a b', 'n=5');
  t.equal(looked.status, 0, looked.stderr);
  t.same(JSON.parse(looked.stdout), { url: '/a%20b?n=5' });
  t.equal((await run('add', 'cmd', 'say', '--', 'echo', '{payload.text}')).status, 0);
  const out = join(up.stateDir, 'said.txt');
  t.equal((await run('invoke', 'say', 'text=hello you', '--output', out)).status, 0);
  t.equal(readFileSync(out, 'utf8'), 'hello you\n');
  const again = await run('add', 'cmd', 'say', '--', 'echo');
  t.equal(again.status, 1);
  t.match(again.stderr, /There is a service say already[^]*acheron rm say/);
  t.match((await run('invoke', 'say', 'words=x')).stderr, /EINVAL/);
  t.match((await run('rm', 'say', 'nobody')).stderr, /no service "nobody"\. Nothing was removed/);
  t.ok(existsSync(join(up.manifests, 'say.json')));
  t.match((await run('rm', 'say', 'look')).stdout, /removed .*say\.json\nremoved .*look\.json\n/);
  t.notOk(existsSync(join(up.manifests, 'say.json')));
  t.match((await run('rm', 'fs')).stderr, /no service|built in/);
});

t.test('an API becomes services by its description, also by one that a server here has', async (t) => {
  const document = {
    openapi: '3.1.0',
    info: { title: 'Towns', version: '1' },
    servers: [{ url: '/api' }],
    paths: {
      '/towns/{name}': {
        get: {
          operationId: 'town',
          tags: ['read'],
          parameters: [
            { name: 'name', in: 'path', required: true, schema: { type: 'string' }, example: 'oslo' },
          ],
        },
        delete: {
          operationId: 'raze',
          parameters: [{ name: 'name', in: 'path', required: true }],
          security: [{ key: [] }],
        },
      },
    },
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'X-Key' } } },
  };
  const server = await httpServer(t, ({ url }, response) =>
    json(response, url === '/openapi.json' ? document : { url }),
  );
  const up = await Up.start(t, { manifests: [], args: ['--allow-private', 'loopback'] });
  const env = { ACHERON_STATE_DIR: up.stateDir };
  const from = `${server.origin}/openapi.json`;
  const list = await acheron(['import', 'openapi', from, '--list'], { env });
  t.match(
    list.stdout,
    /^towns\.town {2}GET http:\/\/127\.0\.0\.1:\d+\/api\/towns\/\{payload\.name\}\ntowns\.raze {2}DELETE /,
  );
  const done = await acheron(['import', 'openapi', from, '--into', up.manifests], { env });
  t.equal(done.status, 0, done.stderr);
  t.match(done.stderr, /put the secrets into its environment: TOWNS_KEY/);
  while ((await acheron(['ls', '/nodes/local/services/towns.town'], { env })).status !== 0);
  const called = await acheron(['invoke', 'towns.town', 'name=oslo'], { env });
  t.same(JSON.parse(called.stdout), { url: '/api/towns/oslo' }, called.stderr);
  const twice = await acheron(['import', 'openapi', from, '--into', up.manifests], { env });
  t.match(twice.stderr, /exists already\. Nothing was written/);
  const shown = await acheron(
    ['import', 'openapi', from, '--into', up.manifests, '--force', '--only', 'read', '--json'],
    { env },
  );
  t.match(JSON.parse(shown.stdout), {
    services: [{ service_id: 'towns.town', variables: [], left_out: [] }],
  });
  mkdirSync(join(up.stateDir, 'far'));
  const far = await acheron(['import', 'openapi', 'http://example.com/openapi.json', '--list'], { env });
  t.match(far.stderr, /is not on this machine/);
  writeFileSync(join(up.stateDir, 'far', 'old.json'), '{"swagger":"2.0"}');
  t.match(
    (await acheron(['import', 'openapi', join(up.stateDir, 'far', 'old.json')], { env })).stderr,
    /Swagger 2\.0/,
  );
});
