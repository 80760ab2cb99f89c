import type { FairTurns } from './fair-turns.js';
import { ForwardingTransport } from './forwarding-transport.js';
import { bytesOfMessage, type Message, type Transport } from './transport.js';

/** What may wait for a turn before nothing more is taken from the peer. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * A transport whose messages are delivered in the turns of the party that answers for it. What waits for a
 * turn when it closes is not delivered.
 */
export class FairTransport extends ForwardingTransport {
  readonly #turns: FairTurns;
  #party: string;
  /** Until it is known whose it is. */
  #greets = true;
  #receiver: ((message: Message) => void) | undefined;
  readonly #waiting: Message[] = [];
  #waitingBytes = 0;
  /** Turns that were asked for and have not come. */
  #asked = 0;
  #isPaused = false;
  #isFull = false;

  constructor(inner: Transport, turns: FairTurns, party: string) {
    super(inner);
    this.#turns = turns;
    this.#party = party;
    inner.onClose(() => {
      this.#waiting.length = 0;
      this.#waitingBytes = 0;
    });
  }

  /** From now on its messages count for another party. */
  belongTo(party: string): void {
    this.#party = party;
    this.#greets = false;
  }

  /** Something came and waits for its turn alone: if its sender is late, then because of us. */
  get isBehind(): boolean {
    return this.#waiting.length > 0 && !this.#isPaused;
  }

  override receive(receiver: (message: Message) => void): void {
    const isFirst = this.#receiver === undefined;
    this.#receiver = receiver;
    if (isFirst) this.inner.receive((message) => this.#came(message));
  }

  override pause(): void {
    this.#isPaused = true;
    this.inner.pause();
  }

  override resume(): void {
    this.#isPaused = false;
    while (this.#asked < this.#waiting.length) this.#ask();
    if (this.#isFull) this.#flow();
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the flow may have paused it
    else if (!this.#isPaused) this.inner.resume();
  }

  #came(message: Message): void {
    this.#waiting.push(message);
    this.#waitingBytes += bytesOfMessage(message);
    if (!this.#isPaused) this.#ask();
    if (this.#waiting.length <= MAX_WAITING && this.#waitingBytes <= MAX_WAITING_BYTES) return;
    this.#isFull = true;
    this.inner.pause();
  }

  #ask(): void {
    this.#asked++;
    const deliver = (): void => {
      this.#asked--;
      this.#deliver();
    };
    this.#turns.take(this.#party, deliver, this.#greets);
  }

  #deliver(): void {
    const receiver = this.#receiver;
    if (this.#isPaused || receiver === undefined) return;
    const message = this.#waiting.shift();
    if (message === undefined) return;
    this.#waitingBytes -= bytesOfMessage(message);
    receiver(message);
    this.#flow();
  }

  #flow(): void {
    if (!this.#isFull || this.#isPaused || this.#waiting.length > MAX_WAITING / 2) return;
    if (this.#waitingBytes > MAX_WAITING_BYTES / 2) return;
    this.#isFull = false;
    this.inner.resume();
  }
}
