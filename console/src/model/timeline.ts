import { numberOf, type Change, type ReloadSummary } from './history.js';

export type Happening =
  | { readonly kind: 'change'; readonly key: string; readonly atMs: number; readonly change: Change }
  | { readonly kind: 'reload'; readonly key: string; readonly atMs: number; readonly reload: ReloadSummary };

/** One of the two lists that a timeline is made of, as far as it was asked for; newest first. */
export interface Part<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; undefined: there is no more. */
  readonly next: string | undefined;
}

/** So many are kept; older ones are found by service or node. */
export const MAX_HAPPENINGS = 2000;

/** Newer items before those that are known, each once. A list that has nothing in common with them begins anew. */
export function withNewest<Item>(
  known: Part<Item>,
  newest: Part<Item>,
  keyOf: (item: Item) => string,
): Part<Item> {
  const fresh = new Set(newest.items.map(keyOf));
  const rest = known.items.filter((item) => !fresh.has(keyOf(item)));
  const isJoined = rest.length < known.items.length || newest.next === undefined;
  return isJoined ? { items: [...newest.items, ...rest].slice(0, MAX_HAPPENINGS), next: known.next } : newest;
}

/** Both in one, newest first; what lies before the end of either list is not shown yet: there may be more between. */
export function timelineOf(changes: Part<Change>, reloads: Part<ReloadSummary>): readonly Happening[] {
  const fromMs = Math.max(endOf(changes), endOf(reloads));
  const all: Happening[] = [
    ...changes.items.map((change): Happening => ({
      kind: 'change',
      key: keyOfChange(change),
      atMs: change.timestamp_ms,
      change,
    })),
    ...reloads.items.map((reload): Happening => ({
      kind: 'reload',
      key: keyOfReload(reload),
      atMs: reload.timestamp_ms,
      reload,
    })),
  ];
  return all
    .filter(({ atMs }) => atMs >= fromMs)
    .sort((one, other) => other.atMs - one.atMs || one.key.localeCompare(other.key));
}

export const keyOfChange = (change: Change): string =>
  `${change.node_id}/${change.service_id}/${numberOf(change)}`;
export const keyOfReload = ({ node_id, n }: ReloadSummary): string => `${node_id}#${n}`;

function endOf({ items, next }: Part<{ readonly timestamp_ms: number }>): number {
  return next === undefined ? -Infinity : (items.at(-1)?.timestamp_ms ?? -Infinity);
}
