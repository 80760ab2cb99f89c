import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import type { JsonObject } from '../../lib/index.js';
import { typesFromServices } from '../../lib/client/index.js';
import { Up, acheron } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const top = resolve(import.meta.dirname, '../../..');

/** What the compiler says of a program that imports the package as it is installed. */
function faultsOf(dir: string, program: string): string[] {
  const file = join(dir, 'program.ts');
  writeFileSync(file, program);
  const checked = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    preserveSymlinks: true,
    types: ['node'],
    typeRoots: [join(top, 'node_modules/@types')],
  });
  return ts
    .getPreEmitDiagnostics(checked)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

function project(t: Parameters<typeof temporaryDir>[0]): string {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'node_modules/@types'), { recursive: true });
  symlinkSync(top, join(dir, 'node_modules/acheron'));
  symlinkSync(join(top, 'node_modules/@types/node'), join(dir, 'node_modules/@types/node'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  return dir;
}

// A compiler reads all declarations of the package.
t.setTimeout(300_000);

t.test('acheron types writes what the compiler then holds calls to', async (t) => {
  const schema = {
    input: {
      type: 'object',
      properties: { text: { type: 'string', description: 'What to say.' }, times: { type: 'integer' } },
      required: ['text'],
      additionalProperties: false,
    },
    output: { type: 'object', properties: { said: { type: 'array', items: { type: 'string' } } } },
  };
  const up = await Up.start(t, {
    manifests: [shellManifest('say-it', 'cat', { schema }), shellManifest('plain', 'cat')],
  });
  const dir = project(t);
  const out = join(dir, 'services.ts');
  const made = await acheron(['types', '--out', out, '--state-dir', up.stateDir]);
  t.equal(made.status, 0, made.stderr);
  t.match(readFileSync(out, 'utf8'), /"say-it": \{[^]*\/\*\* What to say\. \*\/\n\s+text: string;/);
  const faults = faultsOf(
    dir,
    `import { connect } from 'acheron';
     import './services.js';
     const client = await connect({ stateDir: 'x' });
     await client.invoke('plain', { anything: [1, null] });
     await client.invoke('local/say-it', { text: 'a' });
     const job = await client.submit('say-it', { text: 'a', times: 2 });
     export const { said } = await job.result();
     export const more: string[] | undefined = (await client.invoke('say-it', { text: 'b' })).said;
     // What follows is wrong, line by line.
     await client.invoke('say-it', { text: 1 });
     await client.invoke('local/say-it', { txt: 'a' });
     export const { sad } = await client.invoke('say-it', { text: 'a' });`,
  );
  t.match(faults, [/number.*string/, /txt/, /sad/], faults.join('\n'));
  t.equal(faults.length, 3);
  const absent = await acheron(['types', '--node', 'nowhere', '--state-dir', up.stateDir]);
  t.match(absent, { status: 1, stderr: /ENOENT/ });
  t.equal(await up.stop(), 0);
});

t.test('schemas of all kinds become types that compile', async (t) => {
  const dir = project(t);
  const input: JsonObject = {
    type: 'object',
    properties: {
      kind: { enum: ['a', 'b', 3, null] },
      always: { const: { x: [1, 'y'] } },
      'odd name': { type: ['string', 'null'] },
      pair: { prefixItems: [{ type: 'number' }, { type: 'boolean' }], items: false, type: 'array' },
      many: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
      tree: { $ref: '#/$defs/tree' },
      both: { allOf: [{ properties: { p: { type: 'string' } } }, { required: ['q'] }] },
      map: { type: 'object', additionalProperties: { type: 'number' } },
      open: { properties: { k: { type: 'string' } }, additionalProperties: { type: 'number' } },
      never: false,
      any: true,
      hostile: { type: 'string', description: 'ends */ } } process.exit() /* \n here' },
      __proto__x: { type: 'string' },
    },
    required: ['kind', 'unknown'],
    $defs: {
      tree: {
        type: 'object',
        properties: { left: { $ref: '#/$defs/tree' }, value: { type: 'number' } },
      },
    },
  };
  const services: Parameters<typeof typesFromServices>[0] = [
    { serviceId: 'all', input, output: null, summary: 'Ends a comment: */ and more' },
    { serviceId: 'all', input: { type: 'object' }, output: null, summary: undefined },
    { serviceId: '0-quote"', input: {}, output: { type: 'object' }, summary: undefined },
  ];
  writeFileSync(join(dir, 'services.ts'), typesFromServices(services));
  t.same(
    faultsOf(
      dir,
      `import type { InputOf } from 'acheron';
       import './services.js';
       export const all: InputOf<'all'> = {
         kind: 3, always: { x: [1, 'y'] }, 'odd name': null, pair: [1, true], many: ['a', 1],
         tree: { left: { value: 1 } }, both: { p: 'p', q: 1 }, map: { a: 1 }, open: { k: 'k', l: 1 }, any: [null],
         hostile: 'x', unknown: true,
       };`,
    ),
    [],
  );
});
