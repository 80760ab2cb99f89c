import type { Page, PageRequest } from '../../protocol/index.js';

/** What one page holds, unless fewer are asked for. */
const MAX_LISTED = 1000;
/** About half of the largest frame. */
const MAX_PAGE_BYTES = 512 * 1024;

/**
 * The items that follow `after`, in the order of their ids, as many as fit one frame; at least one. They stand
 * on the wire as `wireOf` makes them.
 */
export function pageOf<Item, Wire>(
  items: readonly Item[],
  { limit = MAX_LISTED, after }: PageRequest,
  { idOf, wireOf }: { readonly idOf: (item: Item) => string; readonly wireOf: (item: Item) => Wire },
): { readonly page: Wire[] } & Page {
  const rest = items
    .map((item) => ({ id: idOf(item), item }))
    .filter(({ id }) => after === undefined || id > after)
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  const page: Wire[] = [];
  let bytes = 0;
  let last: string | undefined;
  for (const { id, item } of rest) {
    const wire = wireOf(item);
    bytes += Buffer.byteLength(JSON.stringify(wire));
    if (last !== undefined && (bytes > MAX_PAGE_BYTES || page.length >= limit)) return { page, next: last };
    page.push(wire);
    last = id;
  }
  return { page };
}
