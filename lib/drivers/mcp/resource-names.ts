import { createHash } from 'node:crypto';

const MAX_NAME = 120;
const HASH_CHARACTERS = 8;

/**
 * A file name for each address: what follows its scheme, with `_` for what a name should not have. Addresses that come
 * to the same name, and long ones, get a hash as well.
 */
export function resourceNames(uris: readonly string[]): ReadonlyMap<string, string> {
  const plain = uris.map(plainName);
  const counts = new Map<string, number>();
  for (const name of plain) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map(
    uris.map((uri, index) => {
      const name = plain[index] ?? '';
      return [
        counts.get(name) === 1 && name.length <= MAX_NAME && name !== '' ? name : hashedName(name, uri),
        uri,
      ];
    }),
  );
}

function plainName(uri: string): string {
  return uri
    .replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/*/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[._]+|_+$/g, '');
}

function hashedName(name: string, uri: string): string {
  const hash = createHash('sha256').update(uri).digest('hex').slice(0, HASH_CHARACTERS);
  const [, stem = '', extension = ''] = /^(.*?)(\.[A-Za-z0-9]{1,8})?$/s.exec(name) ?? [];
  return `${stem.slice(0, MAX_NAME - HASH_CHARACTERS - extension.length)}-${hash}${extension}`.replace(
    /^-/,
    '',
  );
}
