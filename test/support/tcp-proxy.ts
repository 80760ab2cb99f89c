import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Who connected, and where to. */
type Side = 'near' | 'far';

/** A network between processes: passes bytes on to a port, and mistreats them when asked to. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: () => number;
  #delayMs = 0;
  /** Of which side nothing is passed on. */
  readonly #stalled = new Set<Side>();
  #tearing = false;
  #refuses = false;

  private constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  /** Listens on a free port; each connection goes to what `target` names at that moment. */
  static async start(target: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Cuts all connections, and each that comes from now on; or takes them again. */
  refuse(refuses = true): void {
    this.#refuses = refuses;
    if (refuses) this.cut();
  }

  /** Cuts all connections at once. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Passes on one half of what comes next on each connection, then cuts it: in the middle of a frame. */
  tear(): void {
    this.#tearing = true;
    setTimeout(() => (this.#tearing = false), 200);
  }

  /** Nothing moves, without a word, for so long. */
  stall(forMs: number): void {
    this.swallow();
    setTimeout(() => this.release(), forMs);
  }

  /** Nothing moves, without a word, until `release`; or nothing of what one side sends. */
  swallow(...sides: readonly Side[]): void {
    for (const side of sides.length > 0 ? sides : (['near', 'far'] as const)) {
      this.#stalled.add(side);
      for (const pair of this.#pairs) pair[side].pause();
    }
  }

  release(): void {
    this.#stalled.clear();
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.resume();
  }

  /** Everything arrives late, in order, for so long. */
  slow(delayMs: number, forMs: number): void {
    this.#delayMs = delayMs;
    setTimeout(() => (this.#delayMs = 0), forMs);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    if (this.#refuses) {
      near.destroy();
      return;
    }
    const far = connect(this.#target(), '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const side of ['near', 'far'] as const) {
      const [from, to] = side === 'near' ? [near, far] : [far, near];
      let last = Promise.resolve();
      from.on('data', (bytes: Buffer) => {
        const delayMs = this.#delayMs;
        const pass = (): void => this.#pass(pair, to, bytes);
        if (delayMs > 0)
          last = last.then(() => new Promise((resolve) => setTimeout(resolve, delayMs))).then(pass);
        else last = last.then(pass);
      });
      from.on('error', () => this.#end(pair));
      from.on('close', () => this.#end(pair));
      if (this.#stalled.has(side)) from.pause();
    }
  }

  #pass(pair: Pair, to: Socket, bytes: Buffer): void {
    if (!this.#tearing) {
      to.write(bytes);
      return;
    }
    to.end(bytes.subarray(0, bytes.length >> 1), () => this.#end(pair));
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }
}
