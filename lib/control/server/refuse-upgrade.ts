import type { Duplex } from 'node:stream';

/** Answers an upgrade that is not to be, and hangs up. */
export function refuse(socket: Duplex, status: number, why: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${why}\n`;
  const names = new Map([
    [400, 'Bad Request'],
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'Not Found'],
    [429, 'Too Many Requests'],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
  ]);
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${names.get(status) ?? ''}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
