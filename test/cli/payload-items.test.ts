import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { areItems, payloadFromItems } from '../../lib/cli/payload-items.js';
import { temporaryDir } from '../support/test-node.js';

t.test('parts of a request make it, as httpie has them', async (t) => {
  const payload = (...items: string[]) => payloadFromItems(items, undefined);
  t.same(payload('a=x', 'b:=5', 'c:={"d":[1]}', 'e='), { a: 'x', b: 5, c: { d: [1] }, e: '' });
  t.same(payload('list[]=x', 'list[]=y', 'list[]:=3'), { list: ['x', 'y', 3] });
  t.same(payload('list[0]=x', 'list[1]=y', 'list[0]=z'), { list: ['z', 'y'] });
  t.same(payload('o[a]=1', 'o[b][c]:=2', 'o[d][][e]=x'), { o: { a: '1', b: { c: 2 }, d: [{ e: 'x' }] } });
  t.same(payload('url=http://x/?a=b&c:=d@e'), { url: 'http://x/?a=b&c:=d@e' });
  t.same(payload('time:zone=utc', String.raw`a\=b=c`, String.raw`m\@x=y`, String.raw`p\[q\]=r`), {
    'time:zone': 'utc',
    'a=b': 'c',
    'm@x': 'y',
    'p[q]': 'r',
  });
  t.same(Object.keys(payload('__proto__=x', 'constructor=y')), ['__proto__', 'constructor']);
});

t.test('text becomes what the schema takes, and only where it takes no text', async (t) => {
  const schema = {
    $defs: { Size: { type: 'integer' } },
    properties: {
      n: { type: 'integer' },
      size: { $ref: '#/$defs/Size' },
      x: { type: ['number', 'null'] },
      flag: { type: 'boolean' },
      any: { type: ['string', 'integer'] },
      level: { enum: [1, 2] },
      list: { type: 'array', items: { type: 'number' } },
      o: { type: 'object', properties: { n: { type: 'integer' } } },
      free: {},
    },
  };
  const items = [
    'n=5',
    'size=7',
    'x=null',
    'flag=true',
    'any=5',
    'free=5',
    'list[]=1.5',
    'o[n]=3',
    'other=1',
  ];
  t.same(payloadFromItems(items, schema), {
    n: 5,
    size: 7,
    x: null,
    flag: true,
    any: '5',
    free: '5',
    list: [1.5],
    o: { n: 3 },
    other: '1',
  });
  t.same(payloadFromItems(['n=five', 'flag=yes', 'n2=1'], schema), { n: 'five', flag: 'yes', n2: '1' });
});

t.test('files are text, JSON, or files with a name and a type', async (t) => {
  const folder = temporaryDir(t);
  const [text, json, image] = [join(folder, 'a.txt'), join(folder, 'b.json'), join(folder, 'c.png')];
  writeFileSync(text, 'hello\n');
  writeFileSync(json, '{"a":1}');
  writeFileSync(image, Buffer.from([0, 255]));
  t.same(payloadFromItems([`t=@${text}`, `j:=@${json}`, `f@${image}`, `fs[]@${text}`], undefined), {
    t: 'hello\n',
    j: { a: 1 },
    f: { filename: 'c.png', content_type: 'image/png', base64: 'AP8=' },
    fs: [{ filename: 'a.txt', content_type: 'text/plain', base64: 'aGVsbG8K' }],
  });
  t.throws(() => payloadFromItems([`f@${folder}/none`], undefined), { code: 'ENOENT' });
});

t.test('what is no part of a request, or fits to no other, is EINVAL', async (t) => {
  for (const items of [
    ['x'],
    ['=x'],
    ['a:=nonsense'],
    ['a[b=x'],
    ['a]=x'],
    ['a=1', 'a[b]=2'],
    ['a[]=1', 'a[b]=2'],
    ['a[b]=1', 'a[]=2'],
    ['a[5]=1'],
  ])
    t.throws(() => payloadFromItems(items, undefined), { code: 'EINVAL' }, items.join(' '));
});

t.test('JSON, "-" and nothing are no parts', async (t) => {
  for (const words of [[], ['-'], ['{"a":1}'], [' {}'], ['[1]']]) t.notOk(areItems(words), words.join());
  for (const words of [['a=1'], ['x'], ['a:={}']]) t.ok(areItems(words), words.join());
});
