import { placeOf, relationOf, type Place } from './export/check-overlap.js';

/** A directory that others may write to. */
export interface WritableExport {
  readonly name: string;
  readonly path: string;
}

/**
 * Finds which of the exports holds a path, or holds a link on the way to it: a user who writes there decides what
 * the path names. Null: none. The directories are those of now, whatever becomes of their paths.
 */
export function holderAmong(exports: readonly WritableExport[]): (path: string) => WritableExport | null {
  const places: readonly [WritableExport, Place][] = exports.map((one) => [one, placeOf(one.path)]);
  return (path) => {
    if (places.length === 0) return null;
    const place = placeOf(path);
    return places.find(([, own]) => relationOf(own, place) === 'contains')?.[0] ?? null;
  };
}
