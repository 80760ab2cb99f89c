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

/** A frame in two parts: what stands before the content, and the content. */
export type BinaryParts = readonly [Uint8Array, Uint8Array];

/** Content up to this is copied behind its envelope; more is sent from where it is. */
const WORTH_COPYING_BYTES = 16 * 1024;

/**
 * A binary frame: the length of the envelope (4 bytes, big endian), the envelope as JSON without its
 * `data_b64`, and the content itself up to the frame's end.
 */
export function encodeBinaryFrame(envelope: AcheronEnvelope, data: Uint8Array): Uint8Array | BinaryParts {
  const header = JSON.stringify(envelope);
  const headerBytes = Buffer.byteLength(header);
  const joined = data.byteLength <= WORTH_COPYING_BYTES;
  const frame = Buffer.allocUnsafe(4 + headerBytes + (joined ? data.byteLength : 0));
  frame.writeUInt32BE(headerBytes, 0);
  frame.write(header, 4, headerBytes, 'utf8');
  if (!joined) return [frame, data];
  frame.set(data, 4 + headerBytes);
  return frame;
}

/**
 * The reverse. `data` is a view of `frame`.
 * @throws ProtocolFault `invalid_envelope` or `frame_too_large`, and what `decodeEnvelope` throws.
 */
export function decodeBinaryFrame(message: Uint8Array | BinaryParts): BinaryFrame {
  if (Array.isArray(message)) return decodeParts(message as BinaryParts);
  const frame = message as Uint8Array;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < 4) throw new ProtocolFault('invalid_envelope', 'The binary frame is too short.');
  const headerBytes = bytes.readUInt32BE(0);
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > bytes.length - 4)
    throw new ProtocolFault('invalid_envelope', 'The binary frame names a length that it cannot have.');
  const envelope = decodeEnvelope(bytes.toString('utf8', 4, 4 + headerBytes), MAX_HEADER_BYTES);
  return { envelope, data: atMost(bytes.subarray(4 + headerBytes)) };
}

/** The parts need not meet where the content begins: the peer may have cut its message anywhere. */
function decodeParts([head, data]: BinaryParts): BinaryFrame {
  const start = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (start.length < 4 || start.readUInt32BE(0) !== start.length - 4)
    return decodeBinaryFrame(Buffer.concat([head, data]));
  const { envelope } = decodeBinaryFrame(head);
  return { envelope, data: atMost(data) };
}

function atMost(data: Uint8Array): Uint8Array {
  if (data.byteLength <= MAX_DATA_BYTES) return data;
  throw new ProtocolFault('frame_too_large', `A frame may carry at most ${MAX_DATA_BYTES} bytes of data.`);
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
