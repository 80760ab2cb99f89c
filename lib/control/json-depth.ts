/** Nothing that we store or hash is nested deeper: what walks it recursively is safe. */
const MAX_DEPTH = 64;

export function isTooDeep(value: unknown, depth = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((item) => isTooDeep(item, depth - 1));
}
