import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createDriver, type Driver, type Progress } from '../../lib/drivers/index.js';
import type { RuntimeDefinition } from '../../lib/manifest/index.js';
import { callOf, limits, processRuntime, serviceId, testContext, type TestCall } from '../support/drivers.js';
import { wasmThatPrints } from '../support/wasm-that-prints.js';

const context = testContext();
t.teardown(() => context.remove());

const THREE = { done: 3, total: 10, message: 'three' };
const LINE = `::progress ${JSON.stringify(THREE)}`;

type Hearing = TestCall & { readonly progress: Progress[] };

function hearing(): Hearing {
  const progress: Progress[] = [];
  return { ...callOf({}), onProgress: (said) => progress.push(said), progress };
}

function driverOf(t: Test, runtime: RuntimeDefinition): Driver {
  const driver = createDriver({ serviceId, runtime }, context)!;
  t.teardown(() => driver.close());
  return driver;
}

const shell = (script: string, mode: 'oneshot' | 'warm'): RuntimeDefinition =>
  processRuntime({ mode, executablePath: '/bin/sh', args: ['-c', script] });

function moduleOf(t: Test, body: string): RuntimeDefinition {
  const modulePath = join(t.testdir(), 'driver.mjs');
  writeFileSync(modulePath, `export async function invoke(payload, context) {\n${body}\n}\n`);
  return { type: 'module', modulePath, env: {}, limits: limits(), probe: null };
}

function wasmOf(t: Test, stderr: string): RuntimeDefinition {
  const modulePath = join(t.testdir(), 'driver.wasm');
  writeFileSync(modulePath, wasmThatPrints(stderr));
  const shape = { entrypoint: '_start', args: [], env: {}, maxMemoryBytes: null, output: 'json' } as const;
  return { type: 'wasm', modulePath, ...shape, limits: limits(), probe: null };
}

function persistentOf(t: Test, answers: readonly string[]): RuntimeDefinition {
  const file = join(t.testdir(), 'driver.py');
  const said = JSON.stringify(answers);
  writeFileSync(
    file,
    `#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    frame = json.loads(line)
    for answer in json.loads(${JSON.stringify(said)}):
        print('{"id": ' + json.dumps(frame["id"]) + ', ' + answer + '}')
    print(json.dumps({"id": frame["id"], "result": {}}), flush=True)
`,
  );
  chmodSync(file, 0o755);
  return processRuntime({ mode: 'persistent', executablePath: file });
}

const RUNTIMES: Record<string, (t: Test) => RuntimeDefinition> = {
  'a process for each call': () => shell(`echo one >&2; echo '${LINE}' >&2; echo two >&2`, 'oneshot'),
  'a process that waited': () =>
    shell(`cat > /dev/null; echo one >&2; echo '${LINE}' >&2; echo two >&2`, 'warm'),
  'a module': (t) =>
    moduleOf(t, `console.error('one'); context.progress(${JSON.stringify(THREE)}); console.error('two');`),
  "a module's stderr": (t) =>
    moduleOf(t, `console.error('one'); console.error(${JSON.stringify(LINE)}); console.error('two');`),
  WebAssembly: (t) => wasmOf(t, `one\n${LINE}\ntwo\n`),
  'a persistent process': (t) =>
    persistentOf(t, ['"stderr": "one\\n"', `"progress": ${JSON.stringify(THREE)}`, '"stderr": "two\\n"']),
};

for (const [name, runtimeOf] of Object.entries(RUNTIMES))
  t.test(`${name} says how far it is, and its stderr is without that`, async (t) => {
    const call = hearing();
    const outcome = await driverOf(t, runtimeOf(t)).invoke(call);
    t.ok(outcome.ok, outcome.ok ? '' : outcome.error.message);
    t.same(call.progress, [THREE]);
    t.equal(call.heard.stderr, 'one\ntwo\n');
  });

const MALFORMED: Record<string, (t: Test) => RuntimeDefinition> = {
  'a process': () => shell(`echo '::progress {"done": -1}' >&2`, 'oneshot'),
  'a module': (t) => moduleOf(t, 'context.progress({ done: -1 }); context.progress({ done: 0 / 0 });'),
  'a persistent process': (t) => persistentOf(t, ['"progress": {"done": -1}', '"progress": null']),
};

for (const [name, runtimeOf] of Object.entries(MALFORMED))
  t.test(`what is no progress is a line of the stderr of ${name}, and the call goes on`, async (t) => {
    const call = hearing();
    t.ok((await driverOf(t, runtimeOf(t)).invoke(call)).ok);
    t.same(call.progress, []);
    t.match(call.heard.stderr, /^::progress (\{"done":\s?-1\}|\{"done":null\}|null)\n/);
  });

t.test(
  'a module that says it all the time is heard ten times a second, and the last of it always',
  async (t) => {
    const runtime = moduleOf(t, 'for (let done = 0; done <= 200_000; done++) context.progress({ done });');
    const driver = driverOf(t, runtime);
    const call = hearing();
    const startedAt = performance.now();
    t.ok((await driver.invoke(call)).ok);
    const tenths = (performance.now() - startedAt) / 100;
    t.equal(call.progress.at(-1)?.done, 200_000);
    t.ok(call.progress.length <= tenths + 3, `${call.progress.length} in ${tenths} tenths of a second`);
  },
);

t.test('what a module says of a call that is over is heard by nobody', async (t) => {
  const runtime = moduleOf(
    t,
    `const before = globalThis.said; globalThis.said = context.progress;
     before?.({ done: 99 }); context.progress({ done: 1 });`,
  );
  const driver = driverOf(t, { ...runtime });
  const calls = [hearing(), hearing()];
  for (const call of calls) await driver.invoke(call);
  for (const call of calls) t.same(call.progress, [{ done: 1, total: null, message: null }]);
});

t.test('the end of stderr that a failure quotes has no progress lines', async (t) => {
  for (const runtime of [shell(`echo wrong >&2; echo '${LINE}' >&2; exit 3`, 'oneshot')]) {
    const outcome = await driverOf(t, runtime).invoke(hearing());
    t.notOk(outcome.ok);
    if (!outcome.ok) t.notMatch(`${outcome.error.message} ${outcome.error.hint}`, /progress/);
    if (!outcome.ok) t.match(`${outcome.error.message} ${outcome.error.hint}`, /wrong/);
  }
});
