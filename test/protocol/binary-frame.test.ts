import fc from '../support/properties.js';
import t from 'tap';
import {
  bytesFromBase64,
  decodeBinaryFrame,
  encodeBinaryFrame,
  ProtocolFault,
} from '../../lib/protocol/index.js';

t.test('an envelope and its bytes survive a binary frame', async () => {
  fc.assert(
    fc.property(fc.nat(), fc.string(), fc.uint8Array({ maxLength: 5000 }), (tag, version, data) => {
      const text = version.slice(0, 100);
      const envelope = { channel: 'acheron', type: 'acheron.r_fs_read', tag, version: text } as const;
      const got = decodeBinaryFrame(encodeBinaryFrame(envelope, data));
      return JSON.stringify(got.envelope) === JSON.stringify(envelope) && Buffer.from(data).equals(got.data);
    }),
  );
});

t.test('whatever bytes come as a binary frame, decoding throws nothing but a ProtocolFault', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeBinaryFrame(bytes);
        return false;
      } catch (thrown) {
        return thrown instanceof ProtocolFault;
      }
    }),
  );
});

t.test('base64 is taken exactly when it is what the bytes would be written as', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      try {
        return bytesFromBase64(text).length === Math.floor((text.replace(/=+$/, '').length * 3) / 4);
      } catch (thrown) {
        return thrown instanceof ProtocolFault;
      }
    }),
  );
});
