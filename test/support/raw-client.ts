import { WebSocket, type RawData } from 'ws';

export type RawFrame = Record<string, unknown> & {
  readonly type: string;
  readonly payload: Record<string, unknown>;
  readonly error: Record<string, unknown>;
};

/** A client that knows nothing of ours: a WebSocket and JSON. */
export class RawClient {
  readonly socket: WebSocket;
  readonly pushed: RawFrame[] = [];
  readonly #waiting: { match: (frame: RawFrame) => boolean; resolve: (frame: RawFrame) => void }[] = [];
  readonly #unclaimed: RawFrame[] = [];
  readonly closed: Promise<number>;
  #tag = 100;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) throw new Error('A binary frame came, and nobody had agreed to that.');
      const frame = JSON.parse((data as Buffer).toString()) as RawFrame;
      if (frame.type.startsWith('acheron.e_')) this.pushed.push(frame);
      const index = this.#waiting.findIndex(({ match }) => match(frame));
      if (index === -1) this.#unclaimed.push(frame);
      else this.#waiting.splice(index, 1)[0]!.resolve(frame);
    });
  }

  static async connect(url: string, token?: string): Promise<RawClient> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { perMessageDeflate: false, headers });
    const client = new RawClient(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  /** Connects and says hello in the fewest words. */
  static async afterHello(url: string): Promise<RawClient> {
    const client = await RawClient.connect(url);
    await client.ask('t_fs_hello', {}, { protocol: 'unified-v2-fs', proto: 2 });
    return client;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  next(match: (frame: RawFrame) => boolean): Promise<RawFrame> {
    const index = this.#unclaimed.findIndex(match);
    if (index !== -1) return Promise.resolve(this.#unclaimed.splice(index, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }

  /** Sends `acheron.<type>` with a tag of its own and answers with the frame that has the same tag. */
  ask(type: string, root: object = {}, payload?: object): Promise<RawFrame> {
    const tag = this.#tag++;
    this.send({
      channel: 'acheron',
      type: `acheron.${type}`,
      tag,
      ...root,
      ...(payload === undefined ? {} : { payload }),
    });
    return this.next((frame) => frame['tag'] === tag);
  }

  close(): void {
    this.socket.terminate();
    this.socket.resume();
  }
}
