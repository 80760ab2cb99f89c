// A child process of the bench: serves the filesystem in memory over "unified-v2-fs" at /files, and raw
// WebSocket messages at /echo, on a free port of 127.0.0.1 that it prints. Given the URL of another, it passes
// the raw messages on to that one, as a control plane does. Ends with SIGTERM.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { localSession } from '../lib/policy/index.js';
import { MAX_FS_FRAME_BYTES } from '../lib/protocol/index.js';
import { WsAcceptor } from '../lib/transport/index.js';
import { acceptAndServe } from '../lib/tunnel/index.js';
import { memoryVfs } from './memory-vfs.js';

const zeros = Buffer.alloc(1024 * 1024);
const session = localSession('admin');
const vfs = memoryVfs('live');
const files = new WsAcceptor({ maxMessageBytes: MAX_FS_FRAME_BYTES });
const raw = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_FS_FRAME_BYTES,
});

const [far] = process.argv.slice(2);
const server = createServer();
server.on('upgrade', (request, socket, head) => {
  if (request.url === '/echo')
    raw.handleUpgrade(request, socket, head, far === undefined ? answerRaw : passOn);
  else
    files.accept(request, socket, head, (transport) => {
      acceptAndServe(vfs, transport, { sessionOf: () => session }).catch(() => transport.destroy());
    });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => process.exit(0));

/**
 * The bare socket: a text `{"reply":N}` is answered with N bytes; `{"send":N,"pieces":P}` with P messages of
 * N bytes, as fast as they leave; bytes are counted, and empty ones answered with the count.
 */
function answerRaw(socket: WebSocket): void {
  let counted = 0;
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) {
      counted += data.byteLength;
      if (data.byteLength === 0) socket.send(String(counted));
      return;
    }
    const asked = JSON.parse(data.toString('utf8')) as { reply?: number; send?: number; pieces?: number };
    if (asked.reply !== undefined) socket.send(zeros.subarray(0, asked.reply), { binary: true });
    else stream(socket, asked.send ?? 0, asked.pieces ?? 0);
  });
}

/** Messages go to the far side and back as they are. */
function passOn(socket: WebSocket): void {
  const there = new WebSocket(`${far}/echo`, { perMessageDeflate: false });
  const opened = new Promise((resolve) => there.once('open', resolve));
  there.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
  socket.on('message', (data: Buffer, binary) => {
    if (there.readyState === there.OPEN) there.send(data, { binary });
    else void opened.then(() => there.send(data, { binary }));
  });
  socket.on('close', () => there.close());
}

function stream(socket: WebSocket, size: number, pieces: number): void {
  if (pieces === 0) return;
  socket.send(zeros.subarray(0, size), { binary: true }, () => undefined);
  if (socket.bufferedAmount < 4 * 1024 * 1024) stream(socket, size, pieces - 1);
  else setImmediate(() => stream(socket, size, pieces - 1));
}
