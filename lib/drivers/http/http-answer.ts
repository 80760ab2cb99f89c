import type { Dispatcher } from 'undici';

/** One request, ready to be sent. */
export interface HttpRequest {
  readonly method: string;
  readonly origin: string;
  /** Path and query, without credentials. */
  readonly path: string;
  /** Without credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** What was asked last, after redirects. */
  readonly asked: HttpRequest;
  readonly host: string;
}

/** A header's value; those of one that comes more than once, joined. */
export function headerOf(headers: HttpAnswer['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
