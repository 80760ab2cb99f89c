import { nearest } from '../core/index.js';
import { templateFrom } from './placeholders.js';

/** The fixed part of a URL, and the part that a request may change. */
export interface HttpUrl {
  readonly origin: string;
  readonly path: string;
}

/** What is wrong with a URL, and what to do about it. */
export interface UrlFault {
  readonly message: string;
  readonly hint: string;
}

const FORM = /^(https?):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is;

/** Takes a URL apart; a placeholder may stand in its path and query alone. */
export function httpUrlFrom(url: string): HttpUrl | UrlFault {
  const [, scheme, authority = '', path = '', query = '', fragment] = FORM.exec(url) ?? [];
  if (scheme === undefined)
    return {
      message: `${JSON.stringify(url)} is not an http or https URL.`,
      hint: 'Write it as https://host/path.',
    };
  if (authority.includes('{'))
    return {
      message:
        'A placeholder may not stand in the host of a URL: a request could choose where secrets are sent.',
      hint: 'Name the host, and make one service for each.',
    };
  if (authority.includes('@'))
    return {
      message: 'The URL has a user name or password, which everybody could read.',
      hint: 'Use "auth": {"type": "basic", "username": …, "password_env": …}.',
    };
  if (fragment !== undefined)
    return { message: 'The URL has a fragment, which is never sent.', hint: 'Leave out # and what follows.' };
  const origin = originOf(`${scheme}://${authority}`);
  if (origin === null)
    return { message: `${JSON.stringify(authority)} is not a host.`, hint: 'Write host or host:port.' };
  const braces = foreignBraces(path + query);
  if (braces !== undefined) {
    const near = nearest(braces.slice(1, -1).split('.')[0] ?? '', ['payload', 'call', 'config']);
    return {
      message: `${braces} in the URL is not a placeholder.`,
      hint:
        near === undefined
          ? `Write {payload.${braces.slice(1, -1)}} for a value of the request.`
          : `Did you mean {${near}.…}?`,
    };
  }
  return { origin, path: `${path === '' ? '/' : encoded(path)}${encoded(query)}` };
}

/** `scheme://host:port` in its one form; null where it is none. The port is left out where it is the usual one. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { origin, hostname, protocol } = new URL(url);
  return hostname === '' || !/^https?:$/.test(protocol) ? null : origin;
}

/** The first pair of braces, or brace, that is no placeholder. */
function foreignBraces(text: string): string | undefined {
  for (const part of templateFrom(text)) {
    if (typeof part !== 'string') continue;
    const found = /\{[^{}]*\}|[{}]/.exec(part);
    if (found !== null) return found[0];
  }
  return undefined;
}

/** What cannot stand in a URL as it is, percent-encoded; placeholders stay. */
function encoded(text: string): string {
  return templateFrom(text)
    .map((part) =>
      typeof part === 'string'
        ? part.replace(/[^\x21-\x7e]|["<>\\^`|]/gu, (character) =>
            encodeURIComponent(character.replace(/\p{Surrogate}/u, '\ufffd')),
          )
        : part.text,
    )
    .join('');
}
