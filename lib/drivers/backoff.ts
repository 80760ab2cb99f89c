/**
 * How long to wait before the next start after so many failed ones in a row: 200 ms, doubled each time,
 * 30 s at most, and a random half of it taken off, so that many do not start at once.
 */
export function backoffMs(failures: number): number {
  const full = Math.min(30_000, 200 * 2 ** Math.max(0, failures - 1));
  return Math.round(full * (0.5 + Math.random() / 2));
}
