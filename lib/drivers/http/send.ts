import type { Agent } from 'undici';
import { FsError } from '../../core/index.js';
import type { CancelSignal } from '../cancel.js';
import { connectionFailure } from './connection-failure.js';
import { HttpFailure } from './http-failure.js';
import { headerOf, type HttpAnswer, type HttpRequest } from './http-answer.js';

/** What authorizes a request: for its own origin alone. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** `name=value` pairs, encoded, with `&` between. */
  readonly query: string;
}

export interface SendOptions {
  readonly agent: Agent;
  readonly signal: CancelSignal;
  readonly credentials: Credentials;
  /** Where credentials belong. */
  readonly home: string;
  /** Where redirects may lead to. */
  readonly origins: readonly string[];
  readonly redirects: number;
  /** Whether text holds a secret. */
  readonly hasSecret: (text: string) => boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a request and follows redirects as far as they are allowed. @throws HttpFailure */
export async function send(request: HttpRequest, options: SendOptions): Promise<HttpAnswer> {
  let asked = request;
  for (let followed = 0; ; followed++) {
    const answer = await sendOnce(asked, options);
    const location = headerOf(answer.headers, 'location');
    if (!REDIRECTS.has(answer.status) || location === undefined || options.redirects === 0) return answer;
    answer.body.destroy();
    if (followed === options.redirects)
      throw refusal(
        answer.host,
        `redirected more than ${options.redirects} times`,
        'Raise "redirects", or correct the URL.',
      );
    asked = redirected(asked, answer, location, options);
  }
}

async function sendOnce(asked: HttpRequest, options: SendOptions): Promise<HttpAnswer> {
  const { agent, signal, credentials, home } = options;
  const { method, origin, body } = asked;
  const own = origin === home ? credentials : { headers: {}, query: '' };
  const host = new URL(origin).host;
  try {
    const {
      statusCode,
      headers,
      body: answered,
    } = await agent.request({
      method: method,
      origin,
      path: withQuery(asked.path, own.query),
      headers: { ...asked.headers, ...own.headers },
      body,
      signal: signal,
    });
    // Whoever reads it hears of its errors; a body that is left alone must not end the process by one.
    answered.on('error', () => undefined);
    return { status: statusCode, headers, body: answered, asked, host };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    throw connectionFailure(thrown, host);
  }
}

/** Adds pairs to a path. */
export function withQuery(path: string, query: string): string {
  if (query === '') return path;
  return `${path}${!path.includes('?') ? '?' : /[?&]$/.test(path) ? '' : '&'}${query}`;
}

function redirected(
  asked: HttpRequest,
  answer: HttpAnswer,
  location: string,
  options: SendOptions,
): HttpRequest {
  const { origin, path } = placeWithin(location, asked, answer.host, options);
  const { method } = asked;
  // As browsers do: what was posted is not posted to another place, unless the server says so by 307 or 308.
  const becomesGet = answer.status === 303 ? method !== 'HEAD' : answer.status < 307 && method === 'POST';
  if (!becomesGet) return { ...asked, origin, path };
  const headers = Object.fromEntries(
    Object.entries(asked.headers).filter(([name]) => name.toLowerCase() !== 'content-type'),
  );
  return { ...asked, method: 'GET', origin, path, headers, body: null };
}

/** Where a server leads to, which must be one of the hosts named. @throws HttpFailure */
export function placeWithin(
  location: string,
  asked: HttpRequest,
  host: string,
  { origins, home, hasSecret }: Pick<SendOptions, 'origins' | 'home' | 'hasSecret'>,
): { readonly origin: string; readonly path: string } {
  const from = `${asked.origin}${asked.path}`;
  if (!URL.canParse(location, from)) throw refusal(host, 'leads to what is no URL', 'Tell who runs it.');
  const url = new URL(location, from);
  if (!origins.includes(url.origin))
    throw refusal(
      host,
      `leads to ${url.origin === 'null' ? url.protocol : url.origin}, which the manifest does not name`,
      `Add ${JSON.stringify(url.host)} to "hosts", if it is to be trusted.`,
    );
  if (url.origin !== home && hasSecret(location))
    throw refusal(
      host,
      `leads to ${url.origin} with a secret of this service in the address`,
      'Tell who runs it.',
    );
  return { origin: url.origin, path: `${url.pathname}${url.search}` };
}

function refusal(host: string, what: string, hint: string): HttpFailure {
  return new HttpFailure(new FsError('EIO', `${host} ${what}.`, { hint }));
}
