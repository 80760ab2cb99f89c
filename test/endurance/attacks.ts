import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { WebSocket, type RawData } from 'ws';

/** What an attack has: where the control plane listens, and what an attacker of its role would hold. */
export interface Target {
  readonly url: string;
  readonly userTokenFile: string;
  /** Of a node that the attacker paired. */
  readonly evil: { readonly node_id: string; readonly node_secret: string };
}

type Frame = Record<string, unknown> & { readonly type: string; readonly tag?: number; readonly id?: string };

/** A connection that keeps as many requests under way as its attack wants. */
class Peer {
  readonly socket: WebSocket;
  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
  }

  static open(target: Target, path: string, token?: string): Promise<Peer | undefined> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${target.url}${path}`, { headers, perMessageDeflate: false });
    const peer = new Peer(socket);
    return new Promise((resolve) => {
      socket.once('open', () => resolve(peer));
      socket.once('close', () => resolve(undefined));
    });
  }

  get open(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  control(name: string, payload: object): void {
    this.#send({ channel: 'control', type: `control.${name}`, id: name, payload });
  }

  files(name: string, tag: number, root: object, payload: object = {}): void {
    this.#send({ channel: 'acheron', type: `acheron.t_fs_${name}`, tag, ...root, payload });
  }

  onFrame(listener: (frame: Frame) => void): void {
    this.socket.on('message', (data: RawData, isBinary) => {
      if (!isBinary) listener(JSON.parse((data as Buffer).toString()) as Frame);
    });
  }

  /** Sends `next` whenever an answer came, beginning with `count` of them. */
  keepAsking(count: number, next: () => void): void {
    this.onFrame(() => next());
    for (let n = 0; n < count; n++) next();
  }

  #send(frame: object): void {
    if (this.open) this.socket.send(JSON.stringify(frame));
  }
}

async function controlPeer(target: Target, token?: string): Promise<Peer | undefined> {
  const peer = await Peer.open(target, '/', token);
  peer?.control('version', { protocol: 'unified-v2' });
  peer?.control('connect', {});
  return peer;
}

async function filesPeer(target: Target, token?: string, hello: object = {}): Promise<Peer | undefined> {
  const peer = await Peer.open(target, '/v2/fs', token);
  peer?.files('hello', 0, {}, { protocol: 'unified-v2-fs', proto: 2, ...hello });
  return peer;
}

/** `count` peers at a time, a new one for each that was cut off. */
function keepOpen(count: number, open: () => Promise<Peer | undefined>): void {
  const again = (): void => {
    void open().then((peer) => {
      if (peer === undefined) setTimeout(again, 20);
      else if (peer.open) peer.socket.once('close', () => setImmediate(again));
      else setImmediate(again);
    });
  };
  for (let n = 0; n < count; n++) again();
}

const userToken = (target: Target): string => readFileSync(target.userTokenFile, 'utf8').trim();

/** Each goes on until its process is ended. */
export const ATTACKS: Readonly<Record<string, (target: Target) => void>> = {
  'joins with bad invites': (target) =>
    keepOpen(8, async () => {
      const peer = await controlPeer(target);
      peer?.keepAsking(16, () =>
        peer.control('node_join', { node_name: 'x', invite_token: 'b'.repeat(43), labels: { a: 'b' } }),
      );
      return peer;
    }),
  'requests to pair': (target) =>
    keepOpen(8, async () => {
      const peer = await controlPeer(target);
      const platform = { padding: 'p'.repeat(2_000) };
      peer?.keepAsking(16, () => peer.control('node_join_request', { node_name: 'x', platform }));
      return peer;
    }),
  'bad tokens': (target) => keepOpen(16, () => Peer.open(target, '/', 'x'.repeat(43))),
  'half-open connections': ({ url }) => {
    const { port } = new URL(url);
    const again = (): void => {
      const socket = connectTcp(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => setTimeout(again, 20));
      socket.write('GET / HTTP/1.1\r\nHost: 127');
    };
    for (let n = 0; n < 200; n++) again();
  },
  'requests that are denied': (target) =>
    keepOpen(4, async () => {
      const peer = await controlPeer(target, userToken(target));
      peer?.keepAsking(32, () => peer.control('token_list', {}));
      return peer;
    }),
  'control files that may not be written': (target) =>
    keepOpen(4, async () => {
      const peer = await filesPeer(target, userToken(target));
      let node = 0;
      peer?.onFrame((frame) => {
        if (frame.type === 'acheron.r_fs_lookup') node = (frame['payload'] as { node: number }).node;
      });
      peer?.files('lookup', 1, { node: 1 }, { path: 'nodes/n1/services/honest/control/disable' });
      let tag = 2;
      peer?.keepAsking(32, () => peer.files('open', tag++, { node }, { mode: 'w' }));
      return peer;
    }),
  'new sessions': (target) => keepOpen(16, () => filesPeer(target, userToken(target))),
  watches: (target) =>
    keepOpen(4, async () => {
      const peer = await controlPeer(target, userToken(target));
      peer?.keepAsking(16, () => peer.control('node_service_watch', { since_revision: 0 }));
      return peer;
    }),
  'opens without a close': (target) =>
    keepOpen(4, async () => {
      const peer = await filesPeer(target, userToken(target));
      let node = 1;
      peer?.onFrame((frame) => {
        if (frame.type === 'acheron.r_fs_lookup') node = (frame['payload'] as { node: number }).node;
      });
      peer?.files('lookup', 1, { node: 1 }, { path: 'nodes/n1/services/honest/SERVICE.json' });
      let tag = 2;
      peer?.keepAsking(64, () => peer.files('open', tag++, { node }, { mode: 'r' }));
      return peer;
    }),
  'requests that never end': (target) =>
    keepOpen(4, async () => {
      const peer = await filesPeer(target, userToken(target));
      let node = 1;
      let handle = 0;
      let tag = 10;
      peer?.onFrame((frame) => {
        const payload = frame['payload'] as { node: number; handle: number };
        if (frame.type === 'acheron.r_fs_lookup') {
          ({ node } = payload);
          peer.files('open', tag++, { node }, { mode: 'w' });
        } else if (frame.type === 'acheron.r_fs_open') {
          ({ handle } = payload);
          peer.files('open', tag++, { node }, { mode: 'w' });
          const data = Buffer.from(`{"text":"${'a'.repeat(60_000)}`).toString('base64');
          peer.files('write', tag++, { h: handle }, { offset: 0, data_b64: data });
        }
      });
      peer?.files('lookup', 1, { node: 1 }, { path: 'nodes/n1/services/honest/control/invoke.json' });
      return peer;
    }),
  'patterns that are slow to match': (target) =>
    keepOpen(2, async () => {
      const peer = await filesPeer(target, userToken(target));
      let node = 1;
      let tag = 10;
      const text = Buffer.from(`{"text":"${'a'.repeat(40)}!"}\n`).toString('base64');
      peer?.onFrame((frame) => {
        const payload = frame['payload'] as { node: number; handle: number };
        if (frame.type === 'acheron.r_fs_lookup') ({ node } = payload);
        if (frame.type === 'acheron.r_fs_open')
          peer.files('write', tag++, { h: payload.handle }, { offset: 0, data_b64: text });
        else peer.files('open', tag++, { node }, { mode: 'w' });
      });
      peer?.files('lookup', 1, { node: 1 }, { path: 'nodes/n1/services/slow/control/invoke.json' });
      return peer;
    }),
  'a node whose listings have no end': (target) => {
    keepOpen(1, async () => {
      const peer = await filesPeer(target, undefined, target.evil);
      peer?.onFrame(({ type, tag }) => {
        if (tag === undefined) return;
        const attr = { kind: 'dir', size: 0, mode: 'r', ino: String(tag), freshness: 'live' };
        if (type === 'acheron.t_fs_readdirp') {
          const entries = Array.from({ length: 500 }, (_, n) => ({ name: `${tag}-${n}`, ...attr }));
          const payload = { entries, next: tag + 1, eof: false };
          peer.socket.send(
            JSON.stringify({ channel: 'acheron', type: 'acheron.r_fs_readdirp', tag, ok: true, payload }),
          );
        } else {
          const payload = { ...attr, name: 'x', node: 2 + (tag % 100) };
          peer.socket.send(
            JSON.stringify({
              channel: 'acheron',
              type: type.replace('t_fs', 'r_fs'),
              tag,
              ok: true,
              payload,
            }),
          );
        }
      });
      return peer;
    });
    keepOpen(2, () => readerOf(target, 'nodes/evil/services/bait/jobs'));
  },
  'a node that never answers': (target) => {
    keepOpen(1, () => filesPeer(target, undefined, target.evil));
    keepOpen(4, () => readerOf(target, 'nodes/evil/services/bait/status.json'));
  },
  'what is no message': (target) =>
    keepOpen(4, async () => {
      const peer = await Peer.open(target, '/', userToken(target));
      for (let n = 0; n < 50; n++) peer?.socket.send('['.repeat(20_000));
      return peer;
    }),
};

/** A user that resolves a path again and again, and lists it. */
async function readerOf(target: Target, path: string): Promise<Peer | undefined> {
  const peer = await filesPeer(target, userToken(target));
  let tag = 2;
  peer?.keepAsking(8, () => {
    peer.files('lookup', tag++, { node: 1 }, { path });
    peer.files('readdirp', tag++, { node: 2 + (tag % 4) }, { cookie: 0 });
  });
  return peer;
}
