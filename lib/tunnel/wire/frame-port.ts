import {
  bytesFromBase64,
  decodeBinaryFrame,
  MAX_FS_FRAME_MARKS,
  decodeEnvelope,
  encodeBinaryFrame,
  encodeEnvelope,
  MAX_FS_FRAME_BYTES,
  ProtocolFault,
  type AcheronEnvelope,
  type DialectEnds,
  type Envelope,
} from '../../protocol/index.js';
import { CLOSE_PROTOCOL_ERROR, isInParts, type Message, type Transport } from '../../transport/index.js';

/** What two peers agreed on in hello. */
export interface FramingAgreement {
  readonly binary: boolean;
  readonly sequence: boolean;
  /** The client confirms invalidations. */
  readonly sync: boolean;
}

export const PLAIN: FramingAgreement = { binary: false, sequence: false, sync: false };

/** Called with what a port receives. */
export interface FrameReceiver {
  frame(frame: Envelope, data: Uint8Array | undefined): void;
  fault(fault: ProtocolFault): void;
}

/** Other names for what frames say; undefined where a frame is for nobody. */
export interface Dialect {
  sent(ours: AcheronEnvelope): AcheronEnvelope | undefined;
  received(theirs: AcheronEnvelope): AcheronEnvelope | undefined;
}

/** Turns frames into messages of a transport and back, as agreed: text or binary, numbered or not. */
export class FramePort {
  readonly transport: Transport;
  framing: FramingAgreement;
  #dialect: Dialect | undefined;
  #receiver: FrameReceiver | undefined;
  #sent = 0;
  #received = 0;

  constructor(transport: Transport, framing: FramingAgreement) {
    this.transport = transport;
    this.framing = framing;
  }

  /** Of a peer that has other names for fields. */
  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  /** Frames are as this dialect has them from now on. */
  speak(make: (ends: DialectEnds) => Dialect): void {
    this.#dialect = make({
      toPeer: (frame) => this.transport.send(encodeEnvelope(frame)),
      toAsker: (frame) => queueMicrotask(() => this.#receiver?.frame(frame, undefined)),
    });
  }

  /**
   * `data` travels raw where that was agreed, else as `payload.data_b64`. The frame is numbered in place. With `onSpent`, `data` is
   * lent, as `Transport.send` says.
   */
  send(ours: Envelope, data?: Uint8Array, onSpent?: () => void): void {
    const frame = this.#dialect !== undefined && ours.channel === 'acheron' ? this.#dialect.sent(ours) : ours;
    if (frame === undefined) return onSpent?.();
    if (this.framing.sequence && frame.channel === 'acheron') frame.n = ++this.#sent;
    if (data === undefined) this.transport.send(encodeEnvelope(frame));
    else if (this.framing.binary && frame.channel === 'acheron') {
      const message = encodeBinaryFrame(frame, data);
      const isCopied = !isInParts(message);
      this.transport.send(message, isCopied ? undefined : onSpent);
      if (isCopied) onSpent?.();
    } else {
      this.transport.send(encodeEnvelope(withBase64(frame, data)));
      onSpent?.();
    }
  }

  receive(receiver: FrameReceiver): void {
    this.#receiver = receiver;
    this.transport.receive((message) => {
      let frame: Envelope | undefined;
      let data: Uint8Array | undefined;
      try {
        const decoded = this.#decode(message);
        if (!this.#inOrder(decoded.envelope)) return;
        frame = this.#ours(decoded.envelope);
        ({ data } = decoded);
      } catch (thrown) {
        receiver.fault(ProtocolFault.from(thrown));
        return;
      }
      if (frame !== undefined) receiver.frame(frame, data);
    });
  }

  #ours(theirs: Envelope): Envelope | undefined {
    const dialect = this.#dialect;
    return dialect !== undefined && theirs.channel === 'acheron' ? dialect.received(theirs) : theirs;
  }

  #decode(message: Message): { envelope: Envelope; data: Uint8Array | undefined } {
    if (typeof message !== 'string') {
      if (!this.framing.binary)
        throw new ProtocolFault('invalid_envelope', 'Binary frames were not agreed on in t_fs_hello.');
      return decodeBinaryFrame(message);
    }
    return { envelope: decodeEnvelope(message, MAX_FS_FRAME_BYTES, MAX_FS_FRAME_MARKS), data: undefined };
  }

  /** A frame that came twice is dropped; where one is missing, nothing after it can be trusted. */
  #inOrder(frame: Envelope): boolean {
    if (!this.framing.sequence || frame.channel !== 'acheron' || !this.transport.open)
      return this.transport.open;
    const number = frame.n;
    if (number === this.#received + 1) {
      this.#received = number;
      return true;
    }
    if (number === undefined || number > this.#received) {
      this.transport.close(CLOSE_PROTOCOL_ERROR, 'A frame is missing.');
      this.transport.destroy();
    }
    return false;
  }
}

/** The bytes that came with a frame: raw, or in `payload.data_b64`; undefined if there are none. */
export function dataOf(frame: Envelope, data: Uint8Array | undefined): Uint8Array | undefined {
  if (data !== undefined) return data;
  const text = frame.payload?.['data_b64'];
  return typeof text === 'string' ? bytesFromBase64(text) : undefined;
}

function withBase64(frame: Envelope, data: Uint8Array): Envelope {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return { ...frame, payload: { ...(frame as AcheronEnvelope).payload, data_b64: text } };
}
