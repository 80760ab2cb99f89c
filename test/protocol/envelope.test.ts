import fc from '../support/properties.js';
import t from 'tap';
import * as z from 'zod';
import { FsError } from '../../lib/core/index.js';
import {
  controlReply,
  controlRequest,
  decodeEnvelope,
  encodeEnvelope,
  errorFrameFrom,
  errorFrameFromFault,
  errFsFrame,
  faultFromFrame,
  fsErrorFromFrame,
  MAX_CONTROL_FRAME_BYTES,
  payloadOf,
  ProtocolFault,
} from '../../lib/protocol/index.js';

const faultOf = (text: string, maxBytes = MAX_CONTROL_FRAME_BYTES, maxMarks?: number): ProtocolFault => {
  try {
    decodeEnvelope(text, maxBytes, maxMarks);
  } catch (thrown) {
    if (thrown instanceof ProtocolFault) return thrown;
    throw thrown;
  }
  throw new Error('The frame was taken.');
};

t.test('a request and its reply survive the wire', async (t) => {
  const request = controlRequest('control.ping', 'a', { n: 1 });
  t.strictSame(decodeEnvelope(encodeEnvelope(request), 1000), request);
  const reply = controlReply(request, { at: 2 }, 'control.pong');
  t.strictSame(decodeEnvelope(encodeEnvelope(reply), 1000), reply);
});

t.test('whatever text arrives, decoding answers an envelope or a ProtocolFault', async (t) => {
  const almost = fc.record(
    {
      channel: fc.oneof(fc.constantFrom('control', 'acheron'), fc.jsonValue()),
      type: fc.oneof(fc.constantFrom('control.ping', 'acheron.t_fs_read', 'ping'), fc.jsonValue()),
      id: fc.jsonValue(),
      tag: fc.jsonValue(),
      payload: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    almost.map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const frame = decodeEnvelope(text, 1000);
        return frame.type.startsWith(`${frame.channel}.`);
      } catch (thrown) {
        return thrown instanceof ProtocolFault;
      }
    }),
  );
  t.pass();
});

t.test('legacy names without a prefix are refused as unsupported', async (t) => {
  t.equal(faultOf('{"channel":"control","type":"ping","id":"7"}').code, 'unsupported_type');
  t.equal(faultOf('{"channel":"acheron","type":"t_fs_read","tag":7}').code, 'unsupported_type');
  t.equal(faultOf('{"channel":"control","type":"acheron.t_fs_read"}').code, 'unsupported_type');
});

t.test('a fault names what is missing and still knows which request it answers', async (t) => {
  t.equal(faultOf('{"type":"control.ping"}').code, 'missing_field');
  const fault = faultOf('{"channel":"control","id":"7"}');
  t.match(fault, { code: 'missing_field', request: { channel: 'control', id: '7' } });
  t.match(errorFrameFromFault(fault, 'control'), { type: 'control.error', id: '7', ok: false });
  t.match(errorFrameFromFault(faultOf('{'), 'acheron'), {
    type: 'acheron.error',
    error: { code: 'invalid_envelope' },
  });
  t.equal(faultOf('{"channel":"acheron","type":"acheron.t_fs_read","tag":1.5}').code, 'invalid_envelope');
  t.equal(faultOf('{"channel":"acheron","type":"acheron.t_fs_read","tag":"1"}').code, 'invalid_envelope');
});

t.test('a frame that is too large is refused by its bytes, before it is parsed', async (t) => {
  t.equal(faultOf(' '.repeat(1001), 1000).code, 'frame_too_large');
  t.equal(faultOf('é'.repeat(501), 1000).code, 'frame_too_large');
  t.equal(faultOf('é'.repeat(500), 1000).code, 'invalid_envelope');
});

t.test(
  'a frame of too many parts is refused before it is parsed; what stands in strings is no part',
  async (t) => {
    const frameOf = (payload: unknown): string =>
      JSON.stringify({ channel: 'control', type: 'control.x', payload });
    const many = Array.from({ length: 1000 }, () => ({}));
    t.equal(faultOf(frameOf({ many }), undefined, 1500).code, 'frame_too_large');
    t.equal(faultOf('['.repeat(1501), undefined, 1500).code, 'frame_too_large');
    t.equal(faultOf(`"${',:'.repeat(2000)}`, undefined, 1500).code, 'invalid_envelope');
    const payload = { text: '\\",{[:\\'.repeat(1000), key: [1, { a: 2 }] };
    t.same(decodeEnvelope(frameOf(payload), MAX_CONTROL_FRAME_BYTES, 14).payload, payload);
    t.equal(faultOf(frameOf(payload), undefined, 13).code, 'frame_too_large');
  },
);

t.test(
  'a payload is checked by its schema, and a missing field is distinguished from a wrong one',
  async (t) => {
    const schema = z.object({ a: z.object({ b: z.int() }) });
    const frame = (body: unknown) => ({ channel: 'control', type: 'control.x', payload: body }) as never;
    t.strictSame(payloadOf(frame({ a: { b: 1 }, more: true }), schema), { a: { b: 1 } });
    t.throws(() => payloadOf(frame({ a: {} }), schema), { code: 'missing_field', message: /a\.b/ });
    t.throws(() => payloadOf(frame(undefined), schema), { code: 'missing_field' });
    t.throws(() => payloadOf(frame({ a: { b: 'secret' } }), schema), { code: 'invalid_payload' });
    try {
      payloadOf(frame({ a: { b: 'secret' } }), schema);
    } catch (thrown) {
      t.notMatch((thrown as Error).message, /secret/);
    }
  },
);

t.test('keys of prototypes are keys like others, and change nothing', async (t) => {
  for (const text of [
    '{"channel":"control","type":"control.x","__proto__":{"id":"p","polluted":1},"payload":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
    '{"__proto__":{"channel":"control","type":"control.x"}}',
  ]) {
    try {
      const frame = decodeEnvelope(text, 1000);
      t.notOk('id' in frame);
      t.notOk((frame.payload as Record<string, unknown>)['polluted']);
    } catch (thrown) {
      t.equal((thrown as ProtocolFault).code, 'missing_field');
    }
  }
  t.notOk('polluted' in {});
});

t.test('an FsError keeps errno, sentence and hint across the wire', async (t) => {
  const sent = new FsError('EBUSY', 'The queue is full.', { hint: 'Try again in 2 s.', path: '/x' });
  const frame = errFsFrame(4, sent);
  t.match(frame, { type: 'acheron.err_fs', tag: 4, ok: false, error: { errno: 16 } });
  const got = fsErrorFromFrame(frame);
  t.match(got, { code: 'EBUSY', message: sent.message, hint: sent.hint });
  t.equal(fsErrorFromFrame({ channel: 'acheron', type: 'acheron.err_fs' }).code, 'EPROTO');
  t.equal(
    fsErrorFromFrame({ channel: 'acheron', type: 'acheron.err_fs', error: { errno: 9999 } }).code,
    'EIO',
  );
});

t.test('what failed unexpectedly is reported as internal, without its text', async (t) => {
  const frame = errorFrameFrom(new Error('password=hunter2'), { channel: 'control', id: '1' });
  t.match(frame, { type: 'control.error', error: { code: 'internal' } });
  t.notMatch(JSON.stringify(frame), /hunter2/);
  const fault = faultFromFrame({
    channel: 'control',
    type: 'control.error',
    error: { code: 'compacted', message: 'Too old.', oldest: 9 },
  });
  t.match(fault, { code: 'compacted', message: 'Too old.', details: { oldest: 9 } });
});
