import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { MAX_FS_FRAME_BYTES } from '../lib/protocol/index.js';
import { connectWs } from '../lib/transport/index.js';
import { sendHello, type Handshake } from '../lib/tunnel/index.js';
import type { Bench } from './bench.js';
import { freshDir } from './mounts.js';
import { serve, type Served } from './served.js';

/** A file connection, after its hello, to what `serve-tunnel` serves. */
export async function dialFiles(url: string): Promise<Handshake> {
  return sendHello(await connectWs(`${url}/files`, { maxMessageBytes: MAX_FS_FRAME_BYTES }));
}

/** A process that serves the filesystem in memory and raw messages; `beyond` another, it passes those on to it. */
export async function startFar(bench: Bench, beyond?: string): Promise<Served & { url: string }> {
  let url = '';
  const program = join(import.meta.dirname, 'serve-tunnel.js');
  const args = [program, ...(beyond === undefined ? [] : [beyond])];
  const served = await serve(freshDir(bench), process.execPath, args, (line) => {
    url = line;
    return true;
  });
  return { ...served, url };
}

/** What the socket itself can do, with nothing of ours on it: the yardstick of the tunnel. */
export class RawSocket {
  readonly #socket: WebSocket;
  #received: (message: Buffer) => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#received(data));
  }

  static async connect(url: string): Promise<RawSocket> {
    const socket = new WebSocket(`${url}/echo`, { perMessageDeflate: false });
    await once(socket, 'open');
    return new RawSocket(socket);
  }

  /** A request as long as one for a file, and a reply of `bytes`. */
  roundTrip(bytes: number): Promise<Buffer> {
    return this.#answerTo(() => this.#socket.send(`{"reply":${bytes},"as_long_as":"${'x'.repeat(100)}"}`));
  }

  /** Fetches `pieces` messages of `size` bytes. */
  download(size: number, pieces: number): Promise<void> {
    return new Promise((resolve) => {
      let left = pieces;
      this.#received = () => {
        if (--left === 0) resolve();
      };
      this.#socket.send(JSON.stringify({ send: size, pieces }));
    });
  }

  /** Sends `pieces` messages of `size` bytes; answers when the far side has them all. */
  async upload(size: number, pieces: number): Promise<void> {
    const piece = Buffer.alloc(size);
    for (let left = pieces; left > 0; left--) {
      const sent = new Promise((resolve) => this.#socket.send(piece, resolve));
      if (this.#socket.bufferedAmount > 4 * 1024 * 1024) await sent;
    }
    await this.#answerTo(() => this.#socket.send(Buffer.alloc(0)));
  }

  close(): void {
    this.#socket.close();
  }

  #answerTo(ask: () => void): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#received = resolve;
      ask();
    });
  }
}
