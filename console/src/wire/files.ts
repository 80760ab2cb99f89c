import type { FsMessageName, FsReply, FsRequest } from 'acheron/protocol';
import { bytesFromBase64, base64FromBytes } from './base64.js';
import { Fault } from './fault.js';
import { Link } from './link.js';
import type { Frame } from './socket.js';

type Attributes = FsReply<'lookup'>;
export type Entry = FsReply<'readdirp'>['entries'][number];

interface Target {
  readonly node?: number;
  readonly h?: number;
}

const ROOT: Target = { node: 1 };
const READ_BYTES = 256 * 1024;

/** The files of one session: the tree that a mount with the same rights shows. */
export class FilesLink extends Link {
  /** Numbers of this connection that were learned, and how many use some. */
  readonly #known = new Set<number>();
  #users = 0;

  constructor(secret: string) {
    super('fs', secret);
  }

  /** What stat says of the file at `path`, and what this session may do with it. @throws Fault */
  async stat(path: string): Promise<Attributes> {
    return this.#at(path, async (found) => found);
  }

  /** @throws Fault */
  async list(path: string): Promise<readonly Entry[]> {
    return this.#at(path, async ({ node }) => {
      const entries: Entry[] = [];
      for (let cookie = 0, ended = false; !ended;) {
        const page = await this.#request('readdirp', { node }, { cookie, count: 1000 });
        entries.push(...page.entries);
        cookie = page.next;
        ended = page.eof || page.entries.length === 0;
      }
      return entries;
    });
  }

  /** The whole file, or its first `most` bytes. @throws Fault */
  async read(path: string, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
    const opened = await this.open(path, 'r');
    try {
      return await opened.read(0, most);
    } finally {
      opened.close();
    }
  }

  async readText(path: string): Promise<string> {
    return new TextDecoder().decode(await this.read(path));
  }

  /** Writes to a control, which acts before this answers; answers what the same descriptor reads then. @throws Fault */
  async exchange(path: string, text: string): Promise<string> {
    const opened = await this.open(path, 'rw');
    try {
      const bytes = new TextEncoder().encode(text);
      await opened.write(bytes);
      return new TextDecoder().decode(await opened.read(bytes.length));
    } finally {
      opened.close();
    }
  }

  /** Writes to a control, which acts before this answers. @throws Fault */
  async write(path: string, text: string): Promise<void> {
    const opened = await this.open(path, 'w');
    try {
      await opened.write(new TextEncoder().encode(text));
      await opened.flush();
    } finally {
      opened.close();
    }
  }

  /** @throws Fault */
  async open(path: string, mode: 'r' | 'w' | 'rw'): Promise<OpenFile> {
    const { handle } = await this.#at(path, ({ node }) => this.#request('open', { node }, { mode }));
    return new OpenFile(handle, (name, target, payload) => this.#request(name, target, payload));
  }

  #find(path: string): Promise<Attributes> {
    const below = path.replace(/^\/+|\/+$/g, '');
    return below === ''
      ? this.#request('getattr', ROOT, {}).then((found) => ({ ...found, node: 1, name: '' }))
      : this.#request('lookup', ROOT, { path: below });
  }

  /**
   * Uses what is at `path`. Several who look at one thing have one number for it, so numbers are given back once nobody
   * uses any, all together.
   */
  async #at<Result>(path: string, use: (found: Attributes) => Promise<Result>): Promise<Result> {
    this.#users++;
    try {
      const found = await this.#find(path);
      if (found.node !== 1) this.#known.add(found.node);
      return await use(found);
    } finally {
      if (--this.#users === 0 && this.#known.size > 0) {
        const nodes = [...this.#known];
        this.#known.clear();
        // With the connection go its numbers.
        this.#request('forget', {}, { nodes }).catch(() => undefined);
      }
    }
  }

  #request<Name extends FsMessageName>(
    name: Name,
    target: Target,
    payload: FsRequest<Name>,
  ): Promise<FsReply<Name>> {
    if (this.state.value !== 'open') return Promise.reject(Fault.lost());
    return this.#ask(name, target, payload, (frame) => this.socket.send(frame));
  }

  #ask<Name extends FsMessageName>(
    name: Name,
    target: Target,
    payload: FsRequest<Name>,
    send: (frame: object) => void,
  ): Promise<FsReply<Name>> {
    return this.exchangeFrames((tag) =>
      send({ channel: 'acheron', type: `acheron.t_fs_${name}`, tag, ...target, payload }),
    ) as Promise<FsReply<Name>>;
  }

  protected async greet(send: (frame: object) => void): Promise<void> {
    await this.#ask('hello', {}, { protocol: 'unified-v2-fs', proto: 2, capabilities: {} }, send);
  }

  protected receive(frame: Frame): void {
    if (frame.tag !== undefined) this.answered(frame.tag, frame, frame.error !== undefined);
  }

  /** With the connection go its numbers. */
  protected lost(): void {
    this.#known.clear();
  }
}

type Ask = <Name extends FsMessageName>(
  name: Name,
  target: Target,
  payload: FsRequest<Name>,
) => Promise<FsReply<Name>>;

/** A descriptor of ours; whoever opened it closes it. */
export class OpenFile {
  readonly #h: number;
  readonly #ask: Ask;

  constructor(h: number, ask: Ask) {
    this.#h = h;
    this.#ask = ask;
  }

  /** What there is from `from` on, up to `most` bytes. */
  async read(from: number, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let ended = false; !ended && size < most;) {
      const count = Math.min(READ_BYTES, most - size);
      const { data_b64 = '', eof } = await this.#ask('read', { h: this.#h }, { offset: from + size, count });
      const part = bytesFromBase64(data_b64);
      parts.push(part);
      size += part.length;
      ended = eof || part.length === 0;
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /**
   * Settles once there is something new: of a stream more than `from` bytes, of a document another content when it is
   * opened anew; false when there will be none. @throws Fault EOPNOTSUPP where nobody notices, ECANCELED after a close
   */
  async changed(from: number): Promise<boolean> {
    return (await this.#ask('await', { h: this.#h }, { offset: from })).changed;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#ask('write', { h: this.#h }, { offset: 0, data_b64: base64FromBytes(bytes) });
  }

  async flush(): Promise<void> {
    await this.#ask('flush', { h: this.#h }, {});
  }

  close(): void {
    // With the connection goes the descriptor.
    this.#ask('close', { h: this.#h }, {}).catch(() => undefined);
  }
}
