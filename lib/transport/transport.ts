import type { Unsubscribe } from '../core/index.js';

/**
 * One message: text, or bytes. Boundaries are kept. Bytes may be given in two parts, which saves a sender
 * that has them apart from joining them; they may then arrive in two parts, or in one.
 */
export type Message = string | Uint8Array | Parts;
export type Parts = readonly [Uint8Array, Uint8Array];

/** Why a transport is no more; numbers as in RFC 6455, section 7.4. */
export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}

/**
 * An ordered, two-way channel of messages between two peers. Messages come once and in order, until it
 * closes; after that nothing comes, and what was sent may or may not have arrived.
 */
export interface Transport {
  /** False once it is closing or closed; never true again. */
  readonly open: boolean;
  /** Bytes that `send` took and that have not left yet. */
  readonly bufferedBytes: number;
  /** Bytes that came in, those of messages that are not whole yet too; undefined where nobody counts. */
  readonly receivedBytes?: number;
  /**
   * Sends in order. Does nothing once closed. `message` must not be changed afterwards. With `onSpent` its second part is
   * lent: the transport may change it, and calls `onSpent` once it has no more need of it, or never.
   */
  send(message: Message, onSpent?: () => void): void;
  /** Answers once `bufferedBytes` is below the low-water mark, or the transport is closed. Never rejects. */
  drained(): Promise<void>;
  /** Names the one receiver; another call replaces it. Messages that came before the first call wait. */
  receive(receiver: (message: Message) => void): void;
  /** Takes nothing from the peer until `resume`; the peer's `bufferedBytes` rises. */
  pause(): void;
  resume(): void;
  /** Calls back once when closed; at once (in a microtask) if that has happened already. */
  onClose(listener: (reason: CloseReason) => void): Unsubscribe;
  /** Sends what is buffered, then closes. Idempotent. */
  close(code?: number, reason?: string): void;
  /** Closes without ceremony: the peer may notice later. Idempotent. */
  destroy(): void;
}

/** `drained` waits for `bufferedBytes` to fall to this. */
export const LOW_WATER_BYTES = 1024 * 1024;
/** Senders of bulk wait for `drained` above this. */
export const HIGH_WATER_BYTES = 4 * 1024 * 1024;

export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_LOST = 1006;
export const CLOSE_POLICY = 1008;

export function bytesOfMessage(message: Message): number {
  if (typeof message === 'string') return Buffer.byteLength(message);
  return isInParts(message) ? message[0].byteLength + message[1].byteLength : message.byteLength;
}

export function isInParts(message: Message): message is Parts {
  return Array.isArray(message);
}
