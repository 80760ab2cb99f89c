import { Store } from '../model/store.js';

/** `ended`: the session is over, and there is no point in trying again. */
export type LinkState = 'connecting' | 'open' | 'lost' | 'ended';

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;

export interface SocketUser {
  /** A connection is there: says hello over it, and answers once that is done. */
  greet(send: (frame: object) => void): Promise<void>;
  receive(frame: Frame): void;
  /** The connection is gone. */
  lost(): void;
}

/** A frame of either channel, as far as it is looked at before its payload. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly tag?: number;
  readonly ok?: boolean;
  readonly payload?: unknown;
  readonly error?: {
    readonly code?: string;
    readonly errno?: number;
    readonly message?: string;
    readonly hint?: string;
  };
}

/**
 * A WebSocket of the console that comes back by itself. The secret goes with the handshake, as a subprotocol: it stands in
 * no address.
 */
export class Socket {
  readonly state = new Store<LinkState>('connecting');
  readonly #path: string;
  readonly #secret: string;
  readonly #user: SocketUser;
  #socket: WebSocket | undefined;
  #failures = 0;
  /** Handshakes in a row that were refused by a server that is there. */
  #refusals = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, secret: string, user: SocketUser) {
    this.#path = path;
    this.#secret = secret;
    this.#user = user;
  }

  start(): void {
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, ['acheron', this.#secret]);
    this.#socket = socket;
    let wasOpen = false;
    socket.addEventListener('open', () => {
      wasOpen = true;
      this.#refusals = 0;
      this.#user
        .greet((frame) => socket.send(JSON.stringify(frame)))
        .then(
          () => {
            if (socket !== this.#socket) return;
            this.#failures = 0;
            this.state.set('open');
          },
          () => socket.close(),
        );
    });
    socket.addEventListener('message', ({ data }) => this.#user.receive(JSON.parse(data as string) as Frame));
    socket.addEventListener('close', () => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      this.#user.lost();
      if (this.state.value === 'ended') return;
      this.state.set(this.state.value === 'connecting' && this.#failures === 0 ? 'connecting' : 'lost');
      void this.#tryAgain(wasOpen);
    });
  }

  send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  /** The session is over: no more is tried. */
  end(): void {
    this.state.set('ended');
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** What the user asks for by hand does not wait. */
  retryNow(): void {
    if (this.state.value !== 'lost' || this.#socket !== undefined) return;
    clearTimeout(this.#timer);
    this.start();
  }

  async #tryAgain(wasOpen: boolean): Promise<void> {
    // A page does not learn why a handshake failed. Where the server is well, it refused us.
    const isThere = !wasOpen && (await isWell());
    if (this.#socket !== undefined || this.state.value === 'ended') return;
    if (isThere && ++this.#refusals >= 2) {
      this.end();
      return;
    }
    if (!isThere) this.#refusals = 0;
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.start(), delay * (0.5 + Math.random() / 2));
  }
}

async function isWell(): Promise<boolean> {
  try {
    return (await fetch('/livez', { cache: 'no-store', signal: AbortSignal.timeout(4000) })).ok;
  } catch {
    // Nobody is there.
    return false;
  }
}
