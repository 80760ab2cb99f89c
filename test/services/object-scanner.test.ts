import fc from '../support/properties.js';
import t from 'tap';
import { ObjectScanner, type ScannedObject } from '../../lib/services/index.js';

const scanAll = (pieces: readonly Uint8Array[]): ScannedObject[] => {
  const scanner = new ObjectScanner();
  return pieces.flatMap((piece) => scanner.push(piece));
};

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
};

t.test('an object is found whole, however it is cut into writes', async () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ unit: 'grapheme' }),
        fc.json().map((text) => JSON.parse(text) as unknown),
      ),
      fc.array(fc.nat()),
      fc.constantFrom('', ' ', '\n\t '),
      (value, places, space) => {
        const bytes = Buffer.from(`${space}${JSON.stringify(value)}${space}`);
        const found = scanAll(cut(bytes, places));
        return found.length === 1 && found[0]!.bytes.equals(Buffer.from(JSON.stringify(value)));
      },
    ),
  );
});

t.test('two objects in a row are two requests, in order', async (t) => {
  t.same(
    scanAll([Buffer.from('{"a":1} {"b":2}\n')]).map(({ bytes }) => bytes.toString()),
    ['{"a":1}', '{"b":2}'],
  );
});

t.test('it takes what JSON.parse takes, and nothing else', async () => {
  const parses = (text: string): boolean => {
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    } catch {
      return false;
    }
  };
  const letters = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    'u',
    '0',
    '1',
    '-',
    '.',
    'e',
    'E',
    '+',
    't',
    'true',
    'false',
    'null',
    ' ',
    '\n',
    'a',
    '\u0000',
    'é',
    '😀',
    '"a":1',
  );
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 12 }), (parts) => {
      const text = `{${parts.join('')}}`;
      const scanner = new ObjectScanner();
      try {
        const objects = scanner.push(Buffer.from(text));
        return objects.length === 1 && scanner.pendingBytes === 0 ? parses(text) : !parses(text);
      } catch (thrown) {
        return !parses(text) || /a second time/.test((thrown as Error).message);
      }
    }),
    { numRuns: 5000 },
  );
});

t.test('the _key member can be cut out wherever it stands', async (t) => {
  for (const text of [
    '{"_key":"k"}',
    '{"_key":"k","a":1}',
    '{"a":1,"_key":"k"}',
    '{"a":1 , "_key" : "k" , "b":2}',
    '{ "_key":"k" , "b":[{"_key":"inner"}]}',
  ]) {
    const [object] = scanAll([Buffer.from(text)]);
    const { from, to } = object!.keyMember!;
    const rest = JSON.parse(text.slice(0, from) + text.slice(to)) as Record<string, unknown>;
    const { _key: _, ...expected } = JSON.parse(text) as Record<string, unknown>;
    t.same(rest, expected, text);
  }
  t.equal(scanAll([Buffer.from('{"a":{"_key":"k"}}')])[0]!.keyMember, null, 'only at the top');
});

t.test('faults name line, column and show a caret', async (t) => {
  const scanner = new ObjectScanner();
  let error: { message: string; hint: string } | undefined;
  try {
    scanner.push(Buffer.from('{\n  "text": oops\n}\n'));
  } catch (thrown) {
    error = thrown as { message: string; hint: string };
  }
  t.match(error!.message, /line 2, column 11/);
  t.match(error!.hint, /^ {2}"text": oops\n {10}\^\n/);
});

const MALFORMED: Record<string, string | Buffer> = {
  'an array': '[1]',
  'a bare word': 'hello',
  'a trailing comma': '{"a":1,}',
  'an unquoted key': '{a:1}',
  'single quotes': "{'a':1}",
  'a line break in a string': '{"a":"b\n"}',
  'a NUL': '{"a":"\0"}',
  'NULs instead': Buffer.alloc(16),
  'invalid UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  'an overlong form': Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
  'an encoded surrogate': Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  'a byte order mark': Buffer.from('\ufeff{"a":1}'),
  'a number with a leading zero': '{"a":01}',
  'a bare point': '{"a":1.}',
  NaN: '{"a":NaN}',
  'a bad escape': '{"a":"\\x"}',
  'a short \\u escape': '{"a":"\\u12"}',
  'the same key twice': '{"a":1,"a":2}',
  'the same key twice, escaped': '{"a":1,"\\u0061":2}',
  'rubbish after the object': '{"a":1} x',
  'deep nesting': `{"a":${'['.repeat(100_000)}`,
  'a comment': '{/* */}',
};

t.test('what is malformed is refused by the write that spoils it', async (t) => {
  for (const [what, text] of Object.entries(MALFORMED)) {
    t.throws(() => new ObjectScanner().push(Buffer.from(text as string)), { code: 'EINVAL' }, what);
  }
});

t.test('what is unusual, and valid, is taken as it is', async (t) => {
  for (const text of [
    '{"n":1e400}',
    '{"n":123456789012345678901234567890}',
    '{"s":"\\ud800"}',
    '{"__proto__":{"a":1}}',
    '{"constructor":1}',
    '{"":0}',
    '{}',
  ]) {
    const [object] = scanAll([Buffer.from(text)]);
    t.equal(object!.bytes.toString(), text);
  }
});

t.test('ten megabytes arrive in pieces without quadratic cost', async (t) => {
  const scanner = new ObjectScanner();
  const bytes = Buffer.from(JSON.stringify({ text: 'x'.repeat(10 * 1024 * 1024) }));
  const found: ScannedObject[] = [];
  const begun = performance.now();
  for (let at = 0; at < bytes.length; at += 4096) found.push(...scanner.push(bytes.subarray(at, at + 4096)));
  t.equal(found[0]!.bytes.length, bytes.length);
  t.ok(performance.now() - begun < 5000);
});
