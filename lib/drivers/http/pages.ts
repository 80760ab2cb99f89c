import { FsError } from '../../core/index.js';
import { pathFromPointer, type HttpPages } from '../../manifest/index.js';
import { jsonTextAt } from '../json-text.js';
import { excerpt } from '../outcome.js';
import { headerOf, type HttpAnswer, type HttpRequest } from './http-answer.js';
import { HttpFailure } from './http-failure.js';
import { pairsText } from './percent-encode.js';
import { placeWithin, type SendOptions } from './send.js';

/** The items of a page as JSON texts; none where the array is empty. @throws HttpFailure where there is no array */
export function itemsOf(json: string, pages: HttpPages, host: string): string {
  const text = jsonTextAt(json, pathFromPointer(pages.items))?.trim();
  if (text?.startsWith('[') === true) return text.slice(1, -1).trim();
  throw new HttpFailure(
    new FsError(
      'EIO',
      `The answer of ${host} has no array at ${JSON.stringify(pages.items)}: it is ${excerpt(Buffer.from(json))}.`,
      {
        hint: 'Correct "items" of "pages" in the manifest.',
      },
    ),
  );
}

/** The request for the page after this one; null after the last. @throws HttpFailure where it leads to another host */
export function nextPage(
  json: string,
  answer: HttpAnswer,
  first: HttpRequest,
  pages: HttpPages,
  options: Pick<SendOptions, 'origins' | 'home' | 'hasSecret'>,
): HttpRequest | null {
  const { asked } = answer;
  const text =
    pages.by === 'link' ? linkFrom(headerOf(answer.headers, 'link')) : textAt(json, pages.next ?? '');
  if (text === null || text === '') return null;
  if (pages.by === 'cursor') return { ...first, path: withParameter(first.path, pages.query ?? '', text) };
  return { ...asked, ...placeWithin(text, asked, answer.host, options) };
}

/** A string or number; null, false and what is not there end the pages. */
function textAt(json: string, pointer: string): string | null {
  const text = jsonTextAt(json, pathFromPointer(pointer));
  if (text === undefined || !/^["\d-]/.test(text)) return null;
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}

/** The target of `rel="next"` (RFC 8288). */
function linkFrom(header: string | undefined): string | null {
  for (const [, target = '', parameters = ''] of (header ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[^,;"]+(?:"[^"]*")?)*)/g,
  ))
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i.test(parameters))
      return target;
  return null;
}

function withParameter(path: string, name: string, value: string): string {
  const [whole = '', query = ''] = path.split('?');
  const kept = query
    .split('&')
    .filter((pair) => pair !== '' && decodeURIComponent(pair.split('=')[0] ?? '') !== name);
  return `${whole}?${[...kept, pairsText([[name, value]], false)].join('&')}`;
}
