import { FsError } from '../../core/index.js';

/**
 * Text as it may stand anywhere in a URL: all but the unreserved characters of RFC 3986 encoded, as in the simple
 * expansion of RFC 6570. @throws FsError EINVAL for half of a surrogate pair
 */
export function percentEncoded(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new FsError('EINVAL', 'The request contains half of a surrogate pair, which no URL can hold.', {
      hint: 'Send well-formed Unicode text.',
    });
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `name=value` pairs, joined; `plus` writes a space as forms do. */
export function pairsText(pairs: readonly (readonly [string, string])[], plus: boolean): string {
  const text = pairs.map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`).join('&');
  return plus ? text.replaceAll('%20', '+') : text;
}
