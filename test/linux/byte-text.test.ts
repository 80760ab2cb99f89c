import fc from '../support/properties.js';
import t from 'tap';
import { byteLengthOfText, bytesFromText, isRawText, textFromBytes } from '../../lib/linux/index.js';

const names = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  fc.array(fc.constantFrom(0x61, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0x80, 0xff)),
);

t.test('any bytes become text and the same bytes again', async (t) => {
  const holds = () =>
    fc.assert(
      fc.property(names, (name) => {
        const bytes = Buffer.from(name);
        const text = textFromBytes(bytes);
        const back = bytesFromText(text);
        const isUtf8 = Buffer.from(bytes.toString()).equals(bytes);
        return (
          back.equals(bytes) &&
          byteLengthOfText(text) === bytes.length &&
          isRawText(text) === !isUtf8 &&
          (!isUtf8 || text === bytes.toString()) &&
          JSON.parse(JSON.stringify(text)) === text
        );
      }),
      { numRuns: 2000 },
    );
  t.doesNotThrow(holds);
});

t.test('what is UTF-8 beside bytes that are not stays readable', async (t) => {
  t.equal(textFromBytes(Buffer.from([0xff, ...Buffer.from('ä😀\ufffd'), 0xc3])), '\udcffä😀\ufffd\udcc3');
  t.equal(textFromBytes(Buffer.from('..a/b'), 1, 4), '.a/');
});
