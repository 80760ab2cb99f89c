import t from 'tap';
import { frameFromLine } from '../../lib/drivers/native-proc/frames.js';

t.test('a frame with an error is an error, whatever its result; a null error is none', async (t) => {
  const frame = (text: string): unknown => frameFromLine(Buffer.from(text));
  t.match(frame('{"id":"1","result":{},"error":{"message":"no"}}'), { kind: 'error', message: 'no' });
  t.match(frame('{"id":"1","result":{},"error":null}'), { kind: 'result' });
  t.match(frame('{"id":"1","result":null,"error":"no"}'), { kind: 'error' });
});

t.test('a line that is not UTF-8 is no frame; a byte order mark is taken off', async (t) => {
  const frame = '{"id":"1","result":"x"}';
  t.equal(frameFromLine(Buffer.from(frame.replace('x', '\xff'), 'latin1')), null);
  t.match(frameFromLine(Buffer.from(`\ufeff${frame}`)), { kind: 'result', id: '1' });
});
