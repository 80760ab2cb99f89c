import { decodeEnvelope, type AcheronEnvelope, type Envelope } from '../envelope.js';
import { MAX_DATA_BYTES } from '../limits.js';
import { ProtocolFault } from '../protocol-fault.js';

/** The longest envelope of a binary frame, bytes. */
const MAX_HEADER_BYTES = 64 * 1024;

/** An envelope and the raw bytes that came with it in place of `data_b64`. */
export interface BinaryFrame {
  readonly envelope: Envelope;
  readonly data: Uint8Array;
}

/**
 * A binary frame: the length of the envelope (4 bytes, big endian), the envelope as JSON without its
 * `data_b64`, and the content itself up to the frame's end.
 */
export function encodeBinaryFrame(envelope: AcheronEnvelope, data: Uint8Array): Buffer {
  const header = JSON.stringify(envelope);
  const headerBytes = Buffer.byteLength(header);
  const frame = Buffer.allocUnsafe(4 + headerBytes + data.byteLength);
  frame.writeUInt32BE(headerBytes, 0);
  frame.write(header, 4, headerBytes, 'utf8');
  frame.set(data, 4 + headerBytes);
  return frame;
}

/**
 * The reverse. `data` is a view of `frame`.
 * @throws ProtocolFault `invalid_envelope` or `frame_too_large`, and what `decodeEnvelope` throws.
 */
export function decodeBinaryFrame(frame: Uint8Array): BinaryFrame {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < 4) throw new ProtocolFault('invalid_envelope', 'The binary frame is too short.');
  const headerBytes = bytes.readUInt32BE(0);
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > bytes.length - 4)
    throw new ProtocolFault('invalid_envelope', 'The binary frame names a length that it cannot have.');
  const envelope = decodeEnvelope(bytes.toString('utf8', 4, 4 + headerBytes), MAX_HEADER_BYTES);
  const data = bytes.subarray(4 + headerBytes);
  if (data.length > MAX_DATA_BYTES)
    throw new ProtocolFault('frame_too_large', `A frame may carry at most ${MAX_DATA_BYTES} bytes of data.`);
  return { envelope, data };
}

/**
 * The bytes that base64 `text` stands for.
 * @throws ProtocolFault `invalid_payload` unless it is padded base64 of at most `MAX_DATA_BYTES`.
 */
export function bytesFromBase64(text: string): Buffer {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const length = (text.length / 4) * 3 - padding;
  const bytes = text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
  if (bytes === undefined || bytes.length !== length || text.includes('-') || text.includes('_'))
    throw new ProtocolFault('invalid_payload', 'The data is not base64 (RFC 4648, padded).');
  if (length > MAX_DATA_BYTES)
    throw new ProtocolFault('frame_too_large', `A frame may carry at most ${MAX_DATA_BYTES} bytes of data.`);
  return bytes;
}
