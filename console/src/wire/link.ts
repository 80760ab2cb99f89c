import { Fault, faultFromFrame } from './fault.js';
import { Socket, type Frame } from './socket.js';

interface Pending {
  readonly resolve: (payload: unknown) => void;
  readonly reject: (fault: Fault) => void;
}

/** One channel of a session, over a socket that comes back by itself: its requests, and who waits for their answers. */
export abstract class Link {
  protected readonly socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #next = 1;

  constructor(path: string, secret: string) {
    this.socket = new Socket(path, secret, {
      greet: (send) => this.greet(send),
      receive: (frame) => this.receive(frame),
      lost: () => {
        for (const { reject } of this.#pending.values()) reject(Fault.lost());
        this.#pending.clear();
        this.lost();
      },
    });
  }

  get state(): Socket['state'] {
    return this.socket.state;
  }

  start(): void {
    this.socket.start();
  }

  retryNow(): void {
    this.socket.retryNow();
  }

  end(): void {
    this.socket.end();
  }

  /** A connection is there: says hello over it. */
  protected abstract greet(send: (frame: object) => void): Promise<void>;
  protected abstract receive(frame: Frame): void;
  /** The connection is gone, and those who waited know it. */
  protected abstract lost(): void;

  /** Sends a request under a number of its own. @throws Fault as the other side answers, or where the connection gets lost */
  protected exchangeFrames(send: (number: number) => void): Promise<unknown> {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { resolve, reject });
      send(number);
    });
  }

  /** The answer to the request of that number has come. */
  protected answered(number: number, frame: Frame, isFault: boolean): void {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (isFault) pending?.reject(faultFromFrame(frame));
    else pending?.resolve(frame.payload ?? {});
  }
}
