/**
 * How long to wait before the next try after so many failed ones in a row: `firstMs`, doubled each time,
 * `mostMs` at most, and a random half of it taken off, so that many do not begin at once.
 */
export function backoffMs(failures: number, firstMs = 200, mostMs = 30_000): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.max(0, failures - 1));
  return Math.round(full * (0.5 + Math.random() / 2));
}
