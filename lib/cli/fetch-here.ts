import { get } from 'node:http';
import { FsError, reasonOf } from '../core/index.js';

const MAX_BYTES = 64 * 1024 * 1024;
const WAIT_MS = 10_000;

/** Whether a URL is of this machine itself. */
export function isHere(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname, protocol } = new URL(url);
  return protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** What a server on this machine answers. @throws FsError EIO */
export function fetchHere(url: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (message: string, thrown?: unknown): void =>
      reject(
        new FsError('EIO', `${url} cannot be read: ${message}`, {
          hint: 'Is its server running?',
          cause: thrown,
        }),
      );
    const request = get(url, { timeout: WAIT_MS }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      if (response.statusCode !== 200) {
        response.destroy();
        return fail(`the server answered ${response.statusCode ?? 0}.`);
      }
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_BYTES) response.destroy(new Error('it is too large'));
      });
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', (thrown) => fail(`${reasonOf(thrown)}.`, thrown));
    });
    request.on('timeout', () => request.destroy(new Error(`nothing came within ${WAIT_MS} ms`)));
    request.on('error', (thrown) => fail(`${reasonOf(thrown)}.`, thrown));
  });
}
