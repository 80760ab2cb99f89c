import { resolve } from 'node:path';
import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { httpAuthFrom } from './http-auth-from.js';
import {
  IDEMPOTENT_METHODS,
  type HttpBody,
  type HttpPages,
  type HttpParameter,
  type HttpRequestDefinition,
} from './http-definition.js';
import { httpUrlFrom, originOf } from './http-url.js';
import type { Problems } from './fault.js';
import { templateFrom } from './placeholders.js';

/** The request that `runtime` describes; null without a URL, or where that cannot be used. */
export function httpRequestFrom(
  written: JsonObject,
  folder: string,
  problems: Problems,
): HttpRequestDefinition | null {
  const field = <Value>(name: string, fallback: Value): Value =>
    (ownValue(written, name) ?? fallback) as Value;
  const given = field<string | null>('url', null);
  if (given === null) return null;
  const url = httpUrlFrom(given);
  if ('message' in url) {
    problems.fault({
      path: ['runtime', 'url'],
      ...url,
      expected: 'an http or https URL with a fixed host',
      got: JSON.stringify(given),
    });
    return null;
  }
  const method = field('method', 'GET');
  const isIdempotent = IDEMPOTENT_METHODS.has(method);
  const headers = field<Readonly<Record<string, string>>>('headers', {});
  checkHeaders(headers, problems);
  checkQuery(field<JsonObject>('query', {}), problems);
  const retries = field('retries', isIdempotent ? 2 : 0);
  if (retries > 0 && !isIdempotent)
    problems.fault({
      path: ['runtime', 'retries'],
      message: `${method} is never sent twice: what it does might be done twice.`,
      expected: '0, or an idempotent method',
      got: String(retries),
      hint: 'Leave "retries" out.',
    });
  return {
    method,
    ...url,
    origins: [url.origin, ...originsFrom(field('hosts', []), url.origin, problems)],
    query: parametersFrom(field('query', {})),
    headers,
    body: bodyFrom(field<JsonObject | null>('body', null), method, problems),
    auth: httpAuthFrom(field<JsonValue>('auth', null), (path) => resolve(folder, path), problems),
    redirects: field('redirects', 0),
    retries,
    response: field('response', 'body'),
    result: field<JsonValue>('result', null),
    output: field<'json' | 'text' | null>('output', null),
    pages: pagesFrom(field<JsonObject | null>('pages', null), method, problems),
    env: field('env', {}),
  };
}

/** Headers that belong to the connection, or to us. */
const NOT_OURS = new Set([
  ...['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'expect', 'te'],
  ...['trailer', 'proxy-connection', 'accept-encoding'],
]);
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie']);
const LIKE_SECRET = /api[-_]?key|token$|secret|password/i;

function checkHeaders(headers: Readonly<Record<string, string>>, problems: Problems): void {
  for (const [name, value] of Object.entries(headers)) {
    const path = ['runtime', 'headers', name];
    const low = name.toLowerCase();
    const isLiteral = templateFrom(value).every((part) => typeof part === 'string');
    if (NOT_OURS.has(low))
      problems.fault({
        path,
        atKey: true,
        message: `The header ${name} belongs to the connection, and cannot be set.`,
        expected: 'another header',
        got: name,
        hint: 'Leave it out.',
      });
    else if (SECRET.has(low) || (isLiteral && LIKE_SECRET.test(low)))
      problems.fault({
        path,
        atKey: true,
        message: `The header ${name} would show its secret to everybody who sees the service.`,
        expected: '"auth", with the name of a variable or file',
        got: 'a header',
        hint: `Use "auth": {"type": "header", "name": ${JSON.stringify(name)}, "value_env": …}.`,
      });
    else if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      problems.fault({
        path,
        message: `The header ${name} has a character that no header can hold.`,
        expected: 'one line of Latin-1 text',
        got: 'other characters',
      });
  }
}

function checkQuery(query: JsonObject, problems: Problems): void {
  for (const [name, { value }] of Object.entries(parametersFrom(query)))
    if (
      LIKE_SECRET.test(name) &&
      value !== '' &&
      templateFrom(value).every((part) => typeof part === 'string')
    )
      problems.fault({
        path: ['runtime', 'query', name],
        atKey: true,
        message: `The parameter ${name} would show its secret to everybody who sees the service.`,
        expected: '"auth", with the name of a variable or file',
        got: 'a parameter',
        hint: `Use "auth": {"type": "query", "name": ${JSON.stringify(name)}, "value_env": …}.`,
      });
}

function originsFrom(hosts: readonly string[], own: string, problems: Problems): string[] {
  return hosts.flatMap((host, at) => {
    const { protocol } = new URL(own);
    const origin = /[/?#@\\{}\s]/.test(host) ? null : originOf(`${protocol}//${host}`);
    if (origin !== null) return [origin];
    problems.fault({
      path: ['runtime', 'hosts', at],
      message: `${JSON.stringify(host)} is not a host.`,
      expected: 'host, or host:port',
      got: JSON.stringify(host),
    });
    return [];
  });
}

function parametersFrom(written: JsonObject): Record<string, HttpParameter> {
  return Object.fromEntries(
    Object.entries(written).map(([name, value]): [string, HttpParameter] => {
      if (!isJsonObject(value))
        return [
          name,
          { value: typeof value === 'string' ? value : JSON.stringify(value), style: 'form', explode: true },
        ];
      const style = (ownValue(value, 'style') ?? 'form') as HttpParameter['style'];
      return [
        name,
        {
          value: ownValue(value, 'value') as string,
          style,
          explode: (ownValue(value, 'explode') ?? (style === 'form' || style === 'deepObject')) as boolean,
        },
      ];
    }),
  );
}

const BODIES = ['json', 'form', 'multipart', 'text', 'base64'] as const;

function bodyFrom(written: JsonObject | null, method: string, problems: Problems): HttpBody | null {
  if (written === null) return null;
  const kinds = BODIES.filter((kind) => Object.hasOwn(written, kind));
  const [kind] = kinds;
  const fault = (message: string, got: string, hint: string): null => {
    problems.fault({
      path: ['runtime', 'body'],
      message,
      expected: `one of ${BODIES.join(', ')}`,
      got,
      hint,
    });
    return null;
  };
  if (kind === undefined || kinds.length > 1)
    return fault('A body has one kind.', kinds.join(' and ') || 'none', 'Write "body": {"json": …}.');
  if (method === 'GET' || method === 'HEAD')
    return fault(`${method} has no body.`, kind, 'Put values into "query", or use POST.');
  const type = (fallback: string): string => (ownValue(written, 'content_type') ?? fallback) as string;
  const value = ownValue(written, kind);
  switch (kind) {
    case 'json':
      return { kind, json: value ?? null, contentType: type('application/json') };
    case 'form':
    case 'multipart':
      return { kind, fields: parametersFrom(value as JsonObject) };
    case 'text':
      return { kind, template: value as string, contentType: type('text/plain; charset=utf-8') };
    case 'base64':
      return { kind, template: value as string, contentType: type('application/octet-stream') };
  }
}

function pagesFrom(written: JsonObject | null, method: string, problems: Problems): HttpPages | null {
  if (written === null) return null;
  const text = (name: string): string | null => (ownValue(written, name) ?? null) as string | null;
  const by = text('by') as HttpPages['by'];
  const needed = by === 'link' ? [] : by === 'cursor' ? ['next', 'query'] : ['next'];
  for (const name of needed.filter((name) => text(name) === null))
    problems.fault({
      path: ['runtime', 'pages'],
      message: `Pages by ${by} need ${JSON.stringify(name)}.`,
      expected: `a property ${JSON.stringify(name)}`,
      got: 'none',
      hint: name === 'next' ? 'Add a JSON Pointer, say "/next".' : 'Add the name of the parameter.',
    });
  if (method !== 'GET')
    problems.fault({
      path: ['runtime', 'pages'],
      message: `Pages are fetched by GET, not by ${method}.`,
      expected: '"method": "GET"',
      got: method,
    });
  return {
    by,
    next: text('next'),
    query: text('query'),
    items: text('items') ?? '',
    max: (ownValue(written, 'max') ?? 10) as number,
  };
}
