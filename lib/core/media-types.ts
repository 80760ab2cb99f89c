/** What the names of files end with; of several for one type, the first is the one that a file is given. */
const TYPES: readonly (readonly [extension: string, mediaType: string])[] = [
  ['txt', 'text/plain'],
  ['log', 'text/plain'],
  ['md', 'text/markdown'],
  ['html', 'text/html'],
  ['htm', 'text/html'],
  ['css', 'text/css'],
  ['csv', 'text/csv'],
  ['tsv', 'text/tab-separated-values'],
  ['js', 'text/javascript'],
  ['mjs', 'text/javascript'],
  ['json', 'application/json'],
  ['ndjson', 'application/x-ndjson'],
  ['jsonl', 'application/x-ndjson'],
  ['pdf', 'application/pdf'],
  ['xml', 'application/xml'],
  ['yaml', 'application/yaml'],
  ['yml', 'application/yaml'],
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['svg', 'image/svg+xml'],
  ['wav', 'audio/wav'],
  ['mp3', 'audio/mpeg'],
  ['ogg', 'audio/ogg'],
  ['flac', 'audio/flac'],
  ['mp4', 'video/mp4'],
  ['webm', 'video/webm'],
  ['gz', 'application/gzip'],
  ['zip', 'application/zip'],
  ['tar', 'application/x-tar'],
  ['wasm', 'application/wasm'],
];

const BY_EXTENSION = new Map(TYPES);
const BY_TYPE = new Map([...TYPES].reverse().map(([extension, mediaType]) => [mediaType, extension]));

/** The media type of what a file of this name holds, where its end says one. */
export function mediaTypeOf(fileName: string): string | undefined {
  const [, extension] = /[^/]\.([^./]+)$/.exec(fileName) ?? [];
  return extension === undefined ? undefined : BY_EXTENSION.get(extension.toLowerCase());
}

/** What the name of a file of this media type ends with, without the dot; its parameters are left aside. */
export function extensionOf(mediaType: string): string | undefined {
  const [type = ''] = mediaType.split(';');
  return BY_TYPE.get(type.trim().toLowerCase());
}
