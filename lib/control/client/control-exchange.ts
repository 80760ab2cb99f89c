import { Emitter, FsError } from '../../core/index.js';
import {
  controlMessage,
  controlRequest,
  decodeEnvelope,
  encodeEnvelope,
  errnoFromCode,
  faultFromFrame,
  MAX_CONTROL_FRAME_BYTES,
  payloadOf,
  ProtocolFault,
  type ControlEnvelope,
  type ControlName,
  type ControlReply,
  type ControlRequest,
  type Envelope,
} from '../../protocol/index.js';
import type { Message, Transport } from '../../transport/index.js';

interface Pending {
  readonly name: ControlName;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: FsError) => void;
}

const REQUEST_TIMEOUT_MS = 30_000;

/** Requests and replies over one connection of the control channel, matched by id; and what is pushed. */
export class ControlExchange {
  /** Frames that answer no request. */
  readonly pushed = new Emitter<ControlEnvelope>();
  readonly #transport: Transport;
  readonly #pending = new Map<string, Pending>();
  #onAnswered: (() => void)[] = [];
  #nextId = 1;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.receive((message) => this.#receive(message));
    transport.onClose(({ code, reason }) => {
      const why = reason === '' ? String(code) : reason;
      const error = new FsError('EHOSTDOWN', `The connection to the control plane was lost (${why}).`);
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
      this.#settled();
    });
  }

  /** Once nothing that was asked is without an answer. */
  answered(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onAnswered.push(resolve));
  }

  get transport(): Transport {
    return this.#transport;
  }

  /**
   * Sends a request and answers its reply, checked.
   * @throws FsError with the `ProtocolFault` that the server answered as its cause (`faultOf`); EHOSTDOWN
   *   when the connection is lost before the reply (it may have been done); ETIMEDOUT.
   */
  request<Name extends ControlName>(
    name: Name,
    payload: ControlRequest<Name>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<ControlReply<Name>> {
    if (!this.#transport.open)
      return Promise.reject(
        new FsError('EHOSTDOWN', 'There is no connection to the control plane.', {
          hint: 'Try again: it is connected to anew as soon as it is there.',
        }),
      );
    const id = String(this.#nextId++);
    return new Promise<ControlReply<Name>>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        this.#settled();
        reject(
          new FsError('ETIMEDOUT', `The control plane did not answer control.${name} in ${timeoutMs} ms.`),
        );
      }, timeoutMs);
      this.#pending.set(id, {
        name,
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#transport.send(encodeEnvelope(controlRequest(`control.${name}`, id, payload)));
    });
  }

  #receive(message: Message): void {
    let frame: Envelope;
    try {
      if (typeof message !== 'string')
        throw new ProtocolFault('invalid_envelope', 'Control frames are text.');
      frame = decodeEnvelope(message, 8 * MAX_CONTROL_FRAME_BYTES);
    } catch {
      // A server that sends what is no envelope cannot be talked to: the connection ends, requests fail.
      this.#transport.close(1002, 'A frame could not be read.');
      return;
    }
    if (frame.channel !== 'control') return;
    const pending = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (frame.id === undefined || pending === undefined) {
      this.pushed.emit(frame);
      return;
    }
    this.#pending.delete(frame.id);
    try {
      if (frame.type === 'control.error' || frame.ok === false) throw faultFromFrame(frame);
      pending.resolve(payloadOf(frame, controlMessage(pending.name).reply) as never);
    } catch (thrown) {
      pending.reject(errorFromFault(ProtocolFault.from(thrown)));
    }
    this.#settled();
  }

  #settled(): void {
    if (this.#pending.size > 0) return;
    const waiting = this.#onAnswered;
    this.#onAnswered = [];
    for (const resolve of waiting) resolve();
  }
}

function errorFromFault(fault: ProtocolFault): FsError {
  return new FsError(errnoFromCode(fault.code), fault.message, { cause: fault });
}

/** What the server answered, where an error came from there. */
export function faultOf(error: unknown): ProtocolFault | undefined {
  return error instanceof Error && error.cause instanceof ProtocolFault ? error.cause : undefined;
}
