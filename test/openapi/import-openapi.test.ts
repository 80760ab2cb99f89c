import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { JsonObject, JsonValue } from '../../lib/core/index.js';
import {
  compileInputSchema,
  lineFromFault,
  MAX_MANIFEST_BYTES,
  readManifest,
} from '../../lib/manifest/index.js';
import { importOpenapi, readOpenapi } from '../../lib/openapi/index.js';
import { temporaryDir } from '../support/test-node.js';

/** One operation of a document, imported. */
function imported(operation: JsonObject, more: JsonObject = {}, path = '/things/{id}') {
  const document: JsonObject = {
    openapi: '3.1.0',
    info: { title: 'Thing Store!', version: '2.5' },
    servers: [{ url: 'https://api.example.com/v1/' }],
    paths: { [path]: { post: { operationId: 'makeThing', ...operation } } },
    ...more,
  };
  const [one] = importOpenapi(document);
  const { manifest, notes, variables } = one!;
  const { definition, faults } = readManifest(JSON.stringify(manifest), { file: '/m/x.json', nodeId: 'n' });
  if (definition === undefined) throw new Error(faults.map(lineFromFault).join('\n'));
  return {
    definition,
    manifest,
    runtime: manifest['runtime'] as JsonObject,
    input: (manifest['schema'] as JsonObject)['input'] as JsonObject,
    notes,
    variables,
  };
}

t.test('an operation is a service of its name, with what the document says of it', async (t) => {
  const { manifest, runtime, input } = imported({
    summary: 'Make a thing',
    description: 'Things are made.',
    tags: ['things'],
    parameters: [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Which.' },
      { name: 'dry-run', in: 'query', schema: { type: 'boolean' } },
      { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
      { name: 'Authorization', in: 'header', schema: { type: 'string' } },
    ],
    requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
  });
  t.equal(manifest['service_id'], 'thing-store.makeThing');
  t.equal(manifest['version'], '2.5');
  t.match(manifest['help_md'], /^Make a thing\n\nThings are made\.\n\n`POST \/things\/\{id\}`: sent once/);
  t.same(manifest['labels'], { api: 'thing-store', tag: 'things', imported: 'openapi' });
  t.same(runtime, {
    type: 'http',
    method: 'POST',
    url: 'https://api.example.com/v1/things/{payload.id}',
    query: { 'dry-run': '{payload.dry-run}' },
    headers: { 'X-Trace': '{payload.X-Trace}' },
    body: { json: '{payload.body}' },
  });
  t.same(input, {
    type: 'object',
    required: ['id', 'body'],
    properties: {
      id: { type: 'string', minLength: 1, description: 'Which.' },
      'dry-run': { type: 'boolean' },
      'X-Trace': { type: 'string' },
      body: { type: 'object' },
    },
    additionalProperties: false,
  });
});

t.test('names that cannot stand in a placeholder, or stand twice, get others', async (t) => {
  const { runtime, input } = imported(
    {
      parameters: [
        { name: 'filter[name.first]', in: 'query', schema: { type: 'string' } },
        { name: 'id', in: 'query', schema: { type: 'string' } },
        { name: '_key', in: 'query', schema: { type: 'string' } },
        { name: 'body', in: 'query', schema: { type: 'string' } },
      ],
      requestBody: { content: { 'application/json': {} } },
    },
    {},
    '/things/{id}',
  );
  t.same(runtime['query'], {
    'filter[name.first]': '{payload.filter_name_first}',
    id: '{payload.id}',
    _key: '{payload.key}',
    body: '{payload.body}',
  });
  t.match(runtime, {
    url: 'https://api.example.com/v1/things/{payload.id_path}',
    body: { json: '{payload.body_content}' },
  });
  t.same(Object.keys(input['properties'] as object).sort(), [
    'body',
    'body_content',
    'filter_name_first',
    'id',
    'id_path',
    'key',
  ]);
});

t.test(
  'schemas that contain themselves are kept as they are, and those of 3.0 become JSON Schema',
  async (t) => {
    const components = {
      schemas: {
        Tree: {
          type: 'object',
          required: ['name', 'made'],
          properties: {
            name: { type: 'string', nullable: true, example: 'oak' },
            size: { type: 'integer', minimum: 0, exclusiveMinimum: true },
            made: { type: 'string', readOnly: true },
            kind: { $ref: '#/components/schemas/Kind' },
            below: { type: 'array', items: { $ref: '#/components/schemas/Tree' } },
          },
          discriminator: { propertyName: 'kind' },
          'x-more': 1,
        },
        Kind: { type: 'string', enum: ['a', 'b', 'a'], nullable: true },
      },
    };
    const { input } = imported(
      { requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Tree' } } } } },
      { openapi: '3.0.3', components },
      '/trees',
    );
    t.same(input['$defs'], {
      Tree: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: ['string', 'null'], examples: ['oak'] },
          size: { type: 'integer', exclusiveMinimum: 0 },
          kind: { $ref: '#/$defs/Kind' },
          below: { type: 'array', items: { $ref: '#/$defs/Tree' } },
        },
      },
      Kind: { type: ['string', 'null'], enum: ['a', 'b', null] },
    });
    const validate = compileInputSchema(input);
    t.equal(validate({ body: { name: null, size: 1, below: [{ name: 'x', below: [] }] } }), null);
    t.not(validate({ body: { name: 'x', size: 0 } }), null);
    t.not(validate({ body: { name: 'x', below: [{ size: 1 }] } }), null);
  },
);

t.test('what authorizes a request is named by variables', async (t) => {
  const securitySchemes = {
    apiKey: { type: 'apiKey', in: 'header', name: 'X-Key' },
    inQuery: { type: 'apiKey', in: 'query', name: 'key' },
    Basic: { type: 'http', scheme: 'Basic' },
    bearerAuth: { type: 'http', scheme: 'bearer' },
    oauth: {
      type: 'oauth2',
      flows: { clientCredentials: { tokenUrl: 'https://auth.example.com/token', scopes: {} } },
    },
    code: { type: 'oauth2', flows: { authorizationCode: {} } },
    mtls: { type: 'mutualTLS' },
  };
  const auth = (security: JsonValue) => {
    const { runtime, variables, notes } = imported({ security }, { components: { securitySchemes } });
    return { auth: runtime['auth'], variables, notes };
  };
  t.same(auth([{ apiKey: [] }]), {
    auth: { type: 'header', name: 'X-Key', value_env: 'THING_STORE_API_KEY' },
    variables: ['THING_STORE_API_KEY'],
    notes: [],
  });
  t.match(auth([{ mtls: [] }, { apiKey: [], inQuery: [] }]).auth, [
    { type: 'header' },
    { type: 'query', name: 'key' },
  ]);
  t.match(auth([{ Basic: [] }]).variables, ['THING_STORE_BASIC_USERNAME', 'THING_STORE_BASIC_PASSWORD']);
  t.same(auth([{ bearerAuth: [] }]).auth, { type: 'bearer', token_env: 'THING_STORE_BEARER_AUTH' });
  t.match(auth([{ oauth: ['read', 'write'] }]).auth, {
    type: 'oauth2',
    token_url: 'https://auth.example.com/token',
    scope: 'read write',
  });
  t.match(auth([{ code: [] }]).auth, { type: 'bearer', token_env: 'THING_STORE_CODE' });
  t.equal(auth([{ apiKey: [] }, {}]).auth, undefined, 'what needs no key is asked without one');
  t.match(auth([{ mtls: [] }]).notes, [/how it is authorized \(mtls\)/]);
});

t.test('bodies of every kind', async (t) => {
  const body = (content: JsonObject) => imported({ requestBody: { content } }, {}, '/x');
  t.same(body({ 'application/merge-patch+json': {}, 'text/plain': {} }).runtime['body'], {
    json: '{payload.body}',
    content_type: 'application/merge-patch+json',
  });
  t.same(body({ 'application/xml': {} }).runtime['body'], {
    text: '{payload.body}',
    content_type: 'application/xml',
  });
  t.same(body({ 'image/png': {} }).runtime['body'], { base64: '{payload.body}', content_type: 'image/png' });
  const properties = { a: { type: 'string' }, list: { type: 'array' }, o: { type: 'object' } };
  const form = body({
    'application/x-www-form-urlencoded': {
      schema: { properties, required: ['a'] },
      encoding: { o: { style: 'deepObject' } },
    },
  });
  t.same(form.runtime['body'], {
    form: {
      a: '{payload.body.a}',
      list: '{payload.body.list}',
      o: { value: '{payload.body.o}', style: 'deepObject' },
    },
  });
  const files = { ...properties, file: { type: 'string', format: 'binary' } };
  const multipart = body({
    'multipart/form-data': { schema: { allOf: [{ type: 'object', properties: files }] } },
  });
  t.match(multipart.runtime['body'], {
    multipart: { file: '{payload.body.file}', o: { value: '{payload.body.o}', style: 'json' } },
  });
  t.match(multipart.input, { properties: { body: { properties: { file: { required: ['base64'] } } } } });
});

t.test('examples make a request to begin with, where they pass', async (t) => {
  const operation = (example: JsonValue) => ({
    parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' }, example }],
    requestBody: {
      content: { 'application/json': { schema: { type: 'object' }, examples: { one: { value: { a: 1 } } } } },
    },
  });
  t.same(imported(operation(7)).manifest['invoke_template'], { id: 7, body: { a: 1 } });
  const wrong = imported(operation('seven'));
  t.equal(wrong.manifest['invoke_template'], undefined);
  t.same(wrong.definition.invokeTemplate, { id: 0 });
});

t.test('the server is where the document says, or the user', async (t) => {
  const urls = (servers: JsonValue, options = {}) =>
    importOpenapi(
      {
        openapi: '3.0.0',
        info: {},
        ...(servers === null ? {} : { servers }),
        paths: { '/a#b': { get: {} } },
      },
      options,
    ).map(({ manifest }) => (manifest['runtime'] as JsonObject)['url']);
  const variables = { host: { default: 'eu.example.com' }, base: { enum: ['v2'] } };
  t.same(urls([{ url: 'https://{host}/{base}', variables }]), ['https://eu.example.com/v2/a']);
  t.same(urls([{ url: '/v1' }], { base: 'http://127.0.0.1:8000/docs/openapi.json' }), [
    'http://127.0.0.1:8000/v1/a',
  ]);
  t.same(urls(null, { server: 'https://x.example/y/' }), ['https://x.example/y/a']);
  t.throws(() => urls(null), { code: 'EINVAL', hint: /--server/ });
});

t.test('tags, operations and paths choose; what is no OpenAPI is said', async (t) => {
  const document: JsonObject = {
    openapi: '3.0.0',
    info: { title: 'x' },
    servers: [{ url: 'https://h' }],
    paths: {
      '/a': { get: { operationId: 'a', tags: ['t'] }, delete: { operationId: 'b' } },
      '/c': { get: {} },
    },
  };
  const ids = (...only: string[]) => importOpenapi(document, { only }).map(({ serviceId }) => serviceId);
  t.same(ids(), ['x.a', 'x.b', 'x.get-c']);
  t.same(ids('t'), ['x.a']);
  t.same(ids('b', 'GET /c'), ['x.b', 'x.get-c']);
  t.throws(() => ids('z'), { code: 'EINVAL', message: /no operation that is asked for/ });
  t.throws(() => importOpenapi({ swagger: '2.0' }), { message: /Swagger 2\.0/ });
  t.throws(() => importOpenapi({ openapi: '4.0.0' }), { message: /OpenAPI 4\.0\.0/ });
  t.throws(() => importOpenapi({}), { message: /no member "openapi"/ });
});

t.test('a document may be of several files of its folder, and of no others', async (t) => {
  const folder = temporaryDir(t);
  const write = (name: string, text: string): string => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const document = (ref: string) =>
    `openapi: 3.0.0\ninfo: {title: x, version: '1'}\nservers: [{url: 'https://h'}]\npaths:\n  /a:\n    post:\n      requestBody:\n        content:\n          application/json:\n            schema: {$ref: '${ref}'}\n`;
  write('api/schemas/thing.yaml', 'type: object\nproperties: {name: {$ref: "name.json"}}\n');
  write('api/schemas/name.json', '{"type":"string","maxLength":3}');
  write('secret.json', '{"type":"string","description":"secret"}');
  const [one] = importOpenapi(await readOpenapi(write('api/ok.yaml', document('schemas/thing.yaml'))));
  t.match(JSON.stringify(one!.manifest), /"maxLength":3/);
  symlinkSync('../secret.json', join(folder, 'api/link.json'));
  for (const ref of [
    '../secret.json',
    '/etc/hostname',
    'https://example.com/x.json',
    'file:///etc/hostname',
    'link.json',
  ])
    await t.rejects(
      readOpenapi(write('api/bad.yaml', document(ref))),
      { code: 'EINVAL', message: /not in its folder/ },
      ref,
    );
  write('api/schemas/thing.yaml', 'properties: {name: {$ref: "../../secret.json"}}\n');
  await t.rejects(
    readOpenapi(join(folder, 'api/ok.yaml')),
    { message: /not in its folder/ },
    'nor by way of another',
  );
  await t.rejects(readOpenapi(join(folder, 'none.yaml')), { code: 'ENOENT' });
  await t.rejects(readOpenapi(write('text.yaml', 'just text')), { code: 'EINVAL' });
});

t.test(
  'a schema that is too large loses what lies deepest, and what is wrong in one is left out',
  async (t) => {
    const schemas: JsonObject = Object.fromEntries(
      Array.from({ length: 400 }, (_, n): [string, JsonObject] => [
        `S${n}`,
        {
          type: 'object',
          description: 'x'.repeat(300),
          properties: {
            [`p${n}`]: { type: 'string' },
            next: { $ref: `#/components/schemas/S${n + 1}` },
            far: { $ref: `#/components/schemas/S${(n * 7) % 400}` },
          },
        },
      ]),
    );
    const large = imported(
      { requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/S0' } } } } },
      { components: { schemas } },
      '/x',
    );
    t.ok(JSON.stringify(large.input).length < 64 * 1024);
    t.match(large.notes.join(), /descriptions within its schema/);
    t.match(large.input, { $defs: { S0: { properties: { p0: { type: 'string' } } } } });
    const wrong = {
      type: 'object',
      properties: { a: { type: 'nonsense', pattern: '(' }, b: { type: 'string', minLength: -1 } },
    };
    const mended = imported(
      { requestBody: { content: { 'application/json': { schema: wrong } } } },
      {},
      '/x',
    );
    t.match(mended.notes.join(), /cannot be used/);
    t.match(mended.input, { properties: { body: { properties: { b: { type: 'string' } } } } });
  },
);

/** Documents that people wrote for their tools to be tried on: MIT, and in no tree of ours. */
const examples = fileURLToPath(
  new URL('../', import.meta.resolve('@readme/oas-examples/package.json').replace(/package\.json$/, 'x/')),
);

t.test('every operation of some eighty documents becomes a manifest without a fault', async (t) => {
  let documents = 0;
  let operations = 0;
  for (const version of ['3.0', '3.1'])
    for (const kind of version === '3.0' ? ['json'] : ['json', 'yaml'])
      for (const name of readdirSync(join(examples, version, kind)).filter((one) =>
        /\.(json|yaml)$/.test(one),
      )) {
        const document = await readOpenapi(join(examples, version, kind, name));
        if (Object.keys((document['paths'] ?? {}) as object).length === 0) continue;
        documents++;
        const faulty = importOpenapi(document, { server: 'https://api.example.com' }).flatMap(
          ({ manifest }) => {
            operations++;
            const text = JSON.stringify(manifest, null, 2);
            const { definition, faults } = readManifest(text, { file: `/m/${name}`, nodeId: 'n' });
            const isRight = definition?.runtime.type === 'http' && text.length <= MAX_MANIFEST_BYTES;
            return isRight ? [] : [manifest['service_id'], ...faults.map(lineFromFault)];
          },
        );
        t.same(faulty, [], `${version} ${name}`);
      }
  t.ok(documents >= 50, `${documents} documents`);
  t.comment({ documents, operations });
  t.ok(readFileSync(join(examples, 'LICENSE.md'), 'utf8').includes('MIT'));
});
