import { readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FsError } from '../core/index.js';

/** Where the build puts them: beside the rooms of dist/lib, and beside dist/bundle. */
const BUILT = join(import.meta.dirname, '..', '..', 'console');

const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
]);

/**
 * What a page may do: run and show what came from here, connect to where it came from, and nothing else. No text
 * becomes markup or script: there is no policy by which it could (Trusted Types).
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

class Page {
  readonly type: string;
  readonly plain: Buffer;
  /** Its name says what it holds, so it never changes. */
  readonly isFixed: boolean;
  #packed: Buffer | undefined;

  constructor(path: string, name: string, type: string) {
    this.type = type;
    this.plain = readFileSync(path);
    this.isFixed = name.startsWith('assets/');
  }

  /** Packed when it is first asked for: a start would wait for all of them. */
  get packed(): Buffer {
    return (this.#packed ??= gzipSync(this.plain, { level: 9 }));
  }
}

/** The built pages, by what stands behind `/console/`. */
export class BuiltPages {
  readonly #pages: ReadonlyMap<string, Page>;

  /** @throws FsError ENOENT where they were not built */
  constructor(folder = BUILT) {
    try {
      this.#pages = new Map(
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
          const type = TYPES.get(extname(name));
          return type === undefined ? [] : [[name, new Page(join(folder, name), name, type)]];
        }),
      );
    } catch (thrown) {
      throw new FsError('ENOENT', 'The pages of the web console are not there.', {
        hint: 'Build them with: npm run build. Or start without a console: --no-console.',
        path: folder,
        cause: thrown,
      });
    }
  }

  answer(name: string, request: IncomingMessage, response: ServerResponse): void {
    const page = this.#pages.get(name === '' ? 'index.html' : name);
    if (page === undefined) {
      const text = 'There is nothing here.\n';
      response.writeHead(404, { ...HEADERS, 'content-type': 'text/plain', 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : text);
      return;
    }
    const isPacked = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
    const body = isPacked ? page.packed : page.plain;
    response.writeHead(200, {
      ...HEADERS,
      'content-type': page.type,
      'content-length': body.length,
      'cache-control': page.isFixed ? 'public, max-age=31536000, immutable' : 'no-store',
      vary: 'accept-encoding',
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }
}
