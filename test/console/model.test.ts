import t from 'tap';
import { consoleModule } from '../support/console-module.js';

interface Piece {
  readonly text: string;
  readonly look: readonly string[];
}

t.test('of what a terminal would obey, colours and bold are kept, and nothing else', async (t) => {
  const { piecesOf } = await consoleModule<{ piecesOf: (output: string) => Piece[] }>('model/ansi.ts');
  const textOf = (output: string): string =>
    piecesOf(output)
      .map(({ text }) => text)
      .join('');
  t.same(piecesOf('a\x1b[1;31mb\x1b[22mc\x1b[0md'), [
    { text: 'a', look: [] },
    { text: 'b', look: ['ansi-red', 'ansi-bold'] },
    { text: 'c', look: ['ansi-red'] },
    { text: 'd', look: [] },
  ]);
  t.equal(textOf('\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\y\x1b]8;;\x1b\\z'), 'xyz', 'titles and links');
  t.equal(textOf('\x1b[2J\x1b[10;10Hx\x1b[6n\x1bcy\x1bP1;2|q\x1b\\z'), 'xyz', 'moves, questions, resets');
  t.equal(textOf('a\r\nb\rc\x00\x08\x9bd\t\n'), 'a\nbcd\t\n', 'controls');
  t.equal(textOf('<b>&amp;</b>'), '<b>&amp;</b>');
});

t.test('a request is looked at as the node will look', async (t) => {
  interface Looked {
    readonly value: unknown;
    readonly faults: readonly { readonly at: string; readonly message: string }[];
  }
  const { looksAt } = await consoleModule<{ looksAt: (text: string, schema: unknown) => Looked }>(
    'model/request-faults.ts',
  );
  const schema = {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string' }, deep: { type: 'object', properties: { n: { minimum: 1 } } } },
    additionalProperties: false,
  };
  const at = (request: unknown): string[] =>
    looksAt(JSON.stringify(request), schema).faults.map((fault) => fault.at);
  t.same(at({ text: 'a', _key: 'k-1' }), [], 'the key is no part of what the schema is for');
  t.same(at({ text: 'a', _key: 'no spaces' }), ['/_key']);
  t.ok(at({ text: 1 }).includes('/text'));
  t.ok(at({ text: 'a', deep: { n: 0 } }).includes('/deep/n'));
  t.ok(at({}).length > 0);
  t.match(looksAt('{"text": }', schema).faults, [{ at: '', message: /not JSON/ }]);
  t.match(looksAt('[1]', schema).faults, [{ at: '', message: /object/ }]);
  t.same(looksAt('{"a": 1}', { pattern: '(?<bad' }).faults, [], 'the node decides what this cannot read');
});

t.test('a call is written for a shell, Python and Node so that no text of it ends early', async (t) => {
  const { snippetsOf } = await consoleModule<{
    snippetsOf: (nodeId: string, serviceId: string, request: string) => [string, string][];
  }>('model/snippets.ts');
  const hostile = `{"a": "it's \\"$(reboot)\\" \`x\`"}`;
  const [shell, python, node] = snippetsOf('n1', 'echo', hostile).map(([, text]) => text);
  t.match(shell, `acheron invoke n1/echo '{"a":"it'\\''s \\"$(reboot)\\" \`x\`"}'`);
  const compact = JSON.stringify(JSON.stringify(JSON.parse(hostile)));
  t.ok(python!.includes(`os.write(fd, ${compact}.encode())`));
  t.ok(node!.includes(`call.write(${compact})`));
  t.match(snippetsOf('n1', 'echo', '{oops')[0]?.[1], "'{oops'");
});

t.test('the schema of a place is found through references and alternatives, however they turn', async (t) => {
  interface Walk {
    partsAt: (schema: unknown, path: readonly (string | number)[]) => readonly object[];
    namesOf: (parts: readonly object[]) => readonly { name: string; isRequired: boolean }[];
    valuesOf: (parts: readonly object[]) => readonly unknown[];
  }
  const { partsAt, namesOf, valuesOf } = await consoleModule<Walk>('model/schema-walk.ts');
  const schema = {
    $defs: {
      tree: { properties: { name: { enum: ['a', 'b'] }, below: { items: { $ref: '#/$defs/tree' } } } },
    },
    properties: { mode: { const: 'x' }, flag: { type: 'boolean' } },
    required: ['flag'],
    anyOf: [{ $ref: '#/$defs/tree' }, { $ref: '#' }, { $ref: 'https://elsewhere.example/' }],
    additionalProperties: { type: ['string', 'null'] },
  };
  const names = (path: (string | number)[]): string[] =>
    namesOf(partsAt(schema, path)).map(({ name }) => name);
  t.same(names([]), ['flag', 'mode', 'name', 'below'], 'required ones first');
  t.same(names(['below', 3, 'below', 0]), ['name', 'below']);
  t.same(valuesOf(partsAt(schema, ['below', 0, 'name'])), ['a', 'b']);
  t.same(valuesOf(partsAt(schema, ['flag'])), [true, false]);
  t.same(valuesOf(partsAt(schema, ['mode'])), ['x']);
  t.same(valuesOf(partsAt(schema, ['other'])), [null]);
  t.same(names(['__proto__', 'constructor']), []);
  t.same(names(['flag', 'toString', 0]), []);
});
