import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import {
  inputValidatorOf,
  lineFromFault,
  readManifest,
  readManifestBytes,
  type ManifestReading,
  type ServiceDefinition,
} from '../../lib/manifest/index.js';

const context = { file: '/srv/manifests/svc.json', nodeId: 'n1' };

function read(manifest: unknown): ManifestReading {
  return readManifest(typeof manifest === 'string' ? manifest : JSON.stringify(manifest, null, 2), context);
}

function definitionOf(manifest: object): ServiceDefinition {
  const { definition, faults } = read(manifest);
  t.same(faults.map(lineFromFault), []);
  return definition!;
}

const least = { service_id: 'svc', kind: 'tool' };

t.test('two fields are enough: every other one has its default', async (t) => {
  const definition = definitionOf(least);
  const { descriptor, digest, descriptorDigest, ...rest } = definition;
  t.same(rest, {
    source: '/srv/manifests/svc.json',
    serviceId: 'svc',
    kind: 'tool',
    version: '1',
    enabled: true,
    state: 'online',
    endpoints: ['/nodes/n1/svc'],
    capabilities: { invoke: false },
    mounts: [{ mountId: 'svc', mountPath: '/nodes/n1/svc', state: 'online' }],
    ops: { model: 'namespace', style: 'plan9' },
    runtime: {
      type: 'static',
      probe: null,
      limits: {
        timeoutMs: 30_000,
        maxPayloadBytes: 1_048_576,
        maxOutputBytes: 4_194_304,
        maxConcurrency: 8,
        maxQueue: 64,
        killGraceMs: 2_000,
        memoryBytes: null,
        cpuSeconds: null,
        openFiles: null,
        user: null,
      },
    },
    permissions: { default: 'deny-by-default' },
    schema: {},
    invokeTemplate: {},
    helpMd: '',
    labels: {},
  });
  t.match(digest, /^[0-9a-f]{64}$/);
  t.match(descriptorDigest, /^[0-9a-f]{64}$/);
  t.equal(descriptor['node_id'], 'n1');
});

t.test('{node_id} is replaced in every string value, and in no name', async (t) => {
  const definition = definitionOf({
    service_id: 'svc-{node_id}',
    kind: 'tool',
    help_md: 'On {node_id}, {node_id}.',
    labels: { '{node_id}': 'at {node_id}' },
    mounts: [{ mount_path: '/nodes/{node_id}/deep/{node_id}' }],
    runtime: { type: 'native_proc', executable_path: './{node_id}.sh', env: { AT: '{node_id}' } },
    extra: [{ deep: '{node_id}' }],
  });
  t.equal(definition.serviceId, 'svc-n1');
  t.equal(definition.helpMd, 'On n1, n1.');
  t.same(definition.labels, { '{node_id}': 'at n1' });
  t.equal(definition.mounts[0]!.mountPath, '/nodes/n1/deep/n1');
  t.match(definition.runtime, { executablePath: '/srv/manifests/n1.sh', env: { AT: 'n1' } });
  t.same(definition.descriptor['extra'], [{ deep: 'n1' }]);
});

t.test('paths with a slash start at the manifest; bare names are left for PATH', async (t) => {
  const runtimeOf = (runtime: object) =>
    definitionOf({ ...least, runtime: { type: 'native_proc', ...runtime } }).runtime;
  t.match(runtimeOf({ executable_path: '../bin/x', cwd: 'data' }), {
    executablePath: '/srv/bin/x',
    cwd: '/srv/manifests/data',
  });
  t.match(runtimeOf({ executable_path: 'python3' }), {
    executablePath: 'python3',
    cwd: '/srv/manifests',
    mode: 'oneshot',
    args: [],
    output: 'json',
    warmCount: 1,
    allowDash: false,
  });
  t.match(runtimeOf({ executable_path: '/bin/sh', probe: { type: 'exec', command: ['./probe', 'x'] } }), {
    executablePath: '/bin/sh',
    probe: {
      command: ['/srv/manifests/probe', 'x'],
      intervalMs: 10_000,
      timeoutMs: 2_000,
      healthyAfter: 1,
      unhealthyAfter: 3,
    },
  });
});

t.test(
  'a runtime without its path, or of a type that is not run here, is listed as unsupported',
  async (t) => {
    for (const runtime of [{ type: 'native_proc' }, { type: 'module' }, { type: 'wasm' }])
      t.match(read({ ...least, runtime }), {
        faults: [],
        warnings: [{ pointer: '/runtime', message: /^There is no "(executable|module)_path" to run/ }],
        definition: { runtime: { type: 'unsupported', declared: runtime.type } },
      });
    t.match(
      read({ ...least, runtime: { type: 'native_proc', command: 'cat' } }).warnings,
      [{ pointer: '/runtime/command', hint: 'With type "native_proc" it is "executable_path".' }],
      'the name that another type has is pointed at',
    );
    for (const type of ['native_inproc', 'builtin', 'future']) {
      const reading = read({ ...least, runtime: { type, timeout_ms: 'whatever', env: { A: 1 } } });
      t.same(reading.faults, []);
      t.match(reading.definition!.runtime, { type: 'unsupported', declared: type });
      t.match(reading.warnings, [{ pointer: '/runtime/type' }]);
      t.same((reading.definition!.descriptor['runtime'] as JsonObject)['env'], ['A']);
    }
  },
);

t.test('unknown top-level fields are kept, with a warning that names the near miss', async (t) => {
  const { definition, warnings, faults } = read({ ...least, help_mb: 'x', 'x-owner': { team: 'a' } });
  t.same(faults, []);
  t.match(definition!.descriptor, { help_mb: 'x', 'x-owner': { team: 'a' } });
  t.match(warnings, [{ pointer: '/help_mb', line: 4, column: 3, hint: 'Did you mean "help_md"?' }, {}]);
});

t.test('everything that is wrong is said at once, each with its line, column and pointer', async (t) => {
  const text = `{
  "service_id": "a b",
  "enabled": "yes",
  "mounts": [{ "mount_path": 5 }, { "mount_id": "x" }],
  "runtime": {
    "type": "native_proc",
    "timeout_ms": 0,
    "mode": "forever",
    "env": { "1X": "v" }
  },
  "schema": { "input": { "type": "strng" } }
}`;
  const { definition, faults } = read(text);
  t.equal(definition, undefined);
  t.same(
    faults.map((fault) => [fault.line, fault.column, fault.pointer]),
    [
      [1, 1, ''],
      [2, 17, '/service_id'],
      [3, 14, '/enabled'],
      [4, 30, '/mounts/0/mount_path'],
      [4, 35, '/mounts/1'],
      [7, 19, '/runtime/timeout_ms'],
      [8, 13, '/runtime/mode'],
      [9, 14, '/runtime/env/1X'],
      [11, 34, '/schema/input/type'],
    ],
  );
  t.equal(
    lineFromFault(faults[5]!),
    '/srv/manifests/svc.json:7:19: "timeout_ms" must be an integer from 1 to 2147483647; it is 0.',
  );
  t.match(faults[6], { expected: 'one of "oneshot", "warm", "persistent"', got: '"forever"' });
  t.match(faults[0], { message: '"kind" is missing.', hint: 'Add "kind".' });
});

t.test('syntax faults have a place and a hint', async (t) => {
  const cases: [string, number, number, RegExp][] = [
    ['', 1, 1, /value is missing/],
    ['{"a": 1,}', 1, 9, /name in double quotes/],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /comma is missing/],
    ['{"a": 1', 1, 8, /closing brace/],
    ['{"a": tru}', 1, 7, /not JSON/],
    ['// hi\n{}', 1, 1, /Comments are not JSON/],
    ['{"a": "x', 1, 7, /no closing quote/],
    ['{} {}', 1, 4, /more text follows/],
    ['{"a": 01}', 1, 8, /./],
    ["{'a': 1}", 1, 2, /./],
    ['{"a": "\u0001"}', 1, 7, /control character/],
    ['{"service_id": "a", "kind": "b", "kind": "c"}', 1, 34, /said twice/],
    [`${'['.repeat(200)}${']'.repeat(200)}`, 1, 101, /100 levels deep/],
  ];
  for (const [text, line, column, message] of cases) {
    const { faults } = read(text);
    t.match(faults[0], { line, column, message }, JSON.stringify(text).slice(0, 40));
    t.not(faults[0]?.hint, undefined);
  }
});

t.test('what is not an object, not UTF-8, or too large is refused', async (t) => {
  for (const text of ['null', '[]', '"x"', '5', 'true'])
    t.match(read(text).faults, [{ message: /The manifest must be an object/ }]);
  t.match(readManifestBytes(Buffer.from([0x7b, 0xff, 0x7d]), context).faults, [{ message: /not UTF-8/ }]);
  t.match(read(`{"a":"${'x'.repeat(300_000)}"}`).faults, [{ message: /larger than/ }]);
  t.same(read(`\uFEFF${JSON.stringify(least)}`).faults, []);
});

t.test('mount paths and endpoints lie under the node, normalized, and not on its own files', async (t) => {
  const good = definitionOf({
    ...least,
    mounts: [{ mount_path: '/nodes/{node_id}//a/../b/./c/' }, { mount_path: '/nodes/{node_id}/b' }],
  });
  t.same(
    good.mounts.map((mount) => [mount.mountId, mount.mountPath]),
    [
      ['svc', '/nodes/n1/b/c'],
      ['svc-2', '/nodes/n1/b'],
    ],
  );
  t.same(good.endpoints, ['/nodes/n1/b/c', '/nodes/n1/b']);
  const bad = [
    'svc',
    '/nodes/other/x',
    '/nodes/{node_id}',
    '/nodes/{node_id}/',
    '/nodes/{node_id}/../other/x',
    '/nodes/{node_id}/services',
    '/nodes/{node_id}/services/x',
    '/nodes/{node_id}/fs/x',
    '/nodes/{node_id}/terminal',
    '/nodes/{node_id}/README.md',
    '/nodes/{node_id}/NODE.json/x',
    '/nodes/{node_id}/a\u0007',
    `/nodes/{node_id}/${'x'.repeat(256)}`,
  ];
  for (const path of bad) {
    t.match(
      read({ ...least, mounts: [{ mount_path: path }] }).faults,
      [{ pointer: '/mounts/0/mount_path' }],
      path,
    );
    t.match(read({ ...least, endpoints: [path] }).faults, [{ pointer: '/endpoints/0' }], path);
  }
  t.match(read({ service_id: 'services', kind: 'x' }).faults, [{ pointer: '/service_id' }]);
});

t.test("a root that would hide a service's own file, or equal another root, is refused", async (t) => {
  const mounts = (...paths: string[]) => ({
    ...least,
    mounts: paths.map((path) => ({ mount_path: `/nodes/{node_id}/${path}` })),
  });
  t.match(read(mounts('a', 'a/control')).faults, [{ message: /hide "control"/ }]);
  t.match(read(mounts('a/jobs/x', 'a')).faults, [{ message: /hide "jobs"/ }]);
  t.match(read(mounts('a', 'a')).faults, [{ message: /mounted twice/ }]);
  t.same(read(mounts('a', 'a/wasm', 'b/control')).faults, []);
});

t.test('values of env are in the definition and its digest, and nowhere else', async (t) => {
  const withSecret = (secret: unknown) => ({
    ...least,
    runtime: { type: 'native_proc', executable_path: 'x', env: { TOKEN: secret, A: 'b' } },
    env: { TOKEN: secret },
  });
  const one = definitionOf(withSecret('hunter2'));
  const two = definitionOf(withSecret('hunter3'));
  t.match(one.runtime, { env: { TOKEN: 'hunter2' } });
  t.notMatch(JSON.stringify(one.descriptor), /hunter/);
  t.same((one.descriptor['runtime'] as JsonObject)['env'], ['A', 'TOKEN']);
  t.not(one.digest, two.digest);
  t.equal(one.descriptorDigest, two.descriptorDigest);
  const { faults } = read(withSecret(271828));
  t.equal(faults.length, 1);
  t.notMatch(JSON.stringify(faults), /271828/);
});

t.test('digests depend on what a manifest says, not on how it is written', async (t) => {
  const one = readManifest('{"service_id":"a","kind":"b","labels":{"x":"1","y":"2"}}', context).definition!;
  const two = readManifest(
    '{ "labels": {"y":"2","x":"1"},\n "kind":"b", "service_id":"a", "$schema":"./x.json" }',
    { ...context, file: '/srv/manifests/other.json' },
  ).definition!;
  t.equal(one.digest, two.digest);
  t.equal(one.descriptorDigest, two.descriptorDigest);
});

t.test('permissions are checked for their form; an empty object stays, and denies', async (t) => {
  t.same(definitionOf({ ...least, permissions: {} }).permissions, {});
  t.match(read({ ...least, permissions: { default: 'maybe', allow_roles: 5 } }).faults, [
    { pointer: '/permissions/default' },
    { pointer: '/permissions/allow_roles', expected: 'a role, or an array of roles' },
  ]);
  t.match(read({ ...least, permissions: { allow_roles: ['operator'], actions: { invok: {} } } }).warnings, [
    { message: /role "operator"/ },
    { hint: 'Did you mean "invoke"?' },
  ]);
});

t.test(
  'a template that fails its own schema is a warning; a missing one is made from the schema',
  async (t) => {
    const input = {
      type: 'object',
      required: ['text', 'level'],
      properties: {
        text: { type: 'string', minLength: 3 },
        level: { enum: ['low', 'high'] },
        times: { type: 'integer', default: 2 },
        note: { type: 'string' },
      },
    };
    t.match(read({ ...least, schema: { input }, invoke_template: { text: 'x' } }).warnings, [
      { pointer: '/invoke_template', message: /does not pass/ },
    ]);
    const definition = definitionOf({ ...least, schema: { input } });
    t.same(definition.invokeTemplate, { text: 'text', level: 'low', times: 2 });
    t.equal(inputValidatorOf(definition)(definition.invokeTemplate), null);
  },
);

t.test('hostile names reach no prototype', async (t) => {
  const { definition, faults } = readManifest(
    '{"service_id":"a","kind":"b","__proto__":{"polluted":1},"labels":{"__proto__":"x","constructor":"y"}}',
    context,
  );
  t.same(faults, []);
  t.equal((Object.prototype as unknown as Record<string, unknown>)['polluted'], undefined);
  t.same(Object.entries(definition!.labels), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});
