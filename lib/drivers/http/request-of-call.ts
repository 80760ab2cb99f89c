import { FsError } from '../../core/index.js';
import { templateFrom, type HttpAuth, type HttpRuntime, type Template } from '../../manifest/index.js';
import type { Invocation } from '../contract.js';
import type { Secrets } from '../secrets.js';
import { CallValues } from './call-values.js';
import { fillBody } from './fill-body.js';
import { fillParameters } from './fill-parameters.js';
import { fillPath } from './fill-path.js';
import type { HttpRequest } from './http-answer.js';
import { pairsText, percentEncoded } from './percent-encode.js';
import { ACCEPTED_ENCODINGS } from './read-body.js';
import { withQuery, type Credentials } from './send.js';

const ACCEPT = 'application/json, application/x-ndjson, text/event-stream;q=0.9, */*;q=0.5';

/** Makes the requests of a service's calls. */
export class RequestMaker {
  readonly #runtime: HttpRuntime;
  readonly #path: Template;

  constructor(runtime: HttpRuntime) {
    this.#runtime = runtime;
    this.#path = templateFrom(runtime.path);
  }

  /** @throws FsError EINVAL where the call's request lacks a value, or has one that cannot be sent */
  make(call: Invocation): HttpRequest {
    const { method, origin, query, headers, body } = this.#runtime;
    const values = new CallValues(call);
    const filled = body === null ? null : fillBody(body, values);
    return {
      method,
      origin,
      path: withQuery(fillPath(this.#path, values), pairsText(fillParameters(query, values), false)),
      headers: {
        accept: ACCEPT,
        'accept-encoding': ACCEPTED_ENCODINGS,
        'user-agent': 'acheron',
        ...(filled === null ? {} : { 'content-type': filled.contentType }),
        ...headersOf(headers, values),
      },
      body: filled?.bytes ?? null,
    };
  }
}

function headersOf(headers: Readonly<Record<string, string>>, values: CallValues): Record<string, string> {
  const filled: Record<string, string> = {};
  for (const [name, template] of Object.entries(headers)) {
    const value = values.fieldOf(template);
    if (value === undefined) continue;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new FsError(
        'EINVAL',
        `The value for the header ${name} has a character that no header can hold.`,
        {
          hint: 'Send one line of Latin-1 text.',
        },
      );
    filled[name.toLowerCase()] = value;
  }
  return filled;
}

/** What authorizes a request. @throws FsError EIO where a secret is not to be had */
export async function credentialsFrom(
  auth: readonly HttpAuth[],
  secrets: Secrets,
  tokenOf: (auth: Extract<HttpAuth, { type: 'oauth2' }>) => Promise<string>,
): Promise<Credentials> {
  const headers: Record<string, string> = {};
  const query: string[] = [];
  const cookies: string[] = [];
  for (const one of auth) {
    switch (one.type) {
      case 'bearer':
        headers['authorization'] = `Bearer ${secrets.read(one.token)}`;
        break;
      case 'basic': {
        const user = typeof one.username === 'string' ? one.username : secrets.read(one.username);
        const pair = Buffer.from(`${user}:${secrets.read(one.password)}`).toString('base64');
        secrets.hide(pair);
        headers['authorization'] = `Basic ${pair}`;
        break;
      }
      case 'header':
        headers[one.name.toLowerCase()] = one.prefix + secrets.read(one.value);
        break;
      case 'query':
        query.push(`${percentEncoded(one.name)}=${percentEncoded(one.prefix + secrets.read(one.value))}`);
        break;
      case 'cookie':
        cookies.push(`${one.name}=${one.prefix}${secrets.read(one.value)}`);
        break;
      case 'oauth2':
        headers['authorization'] = `Bearer ${await tokenOf(one)}`;
    }
  }
  if (cookies.length > 0) headers['cookie'] = cookies.join('; ');
  return { headers, query: query.join('&') };
}
