/** The known name within two slips of the given one; one slip for short names. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.min(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > 64) continue;
    const slips = distance(name.toLowerCase(), candidate.toLowerCase());
    if (slips < least) [best, least] = [candidate, slips];
  }
  return best;
}

/** How many letters are wrong, missing, too many, or swapped with their neighbour. */
function distance(a: string, b: string): number {
  // How far the letters of a so far are from the first 0, 1, 2, ... of b, and how far those before the last were.
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  let slips = b.length;
  for (let i = 1; i <= a.length; i++) {
    slips = i;
    const next = [slips];
    let diagonal = i - 1;
    for (const [j, up] of row.slice(1).entries()) {
      const same = a[i - 1] === b[j];
      slips = Math.min(up + 1, slips + 1, diagonal + (same ? 0 : 1));
      const beforeBoth = before[j - 1];
      if (beforeBoth !== undefined && a[i - 1] === b[j - 1] && a[i - 2] === b[j])
        slips = Math.min(slips, beforeBoth + 1);
      next.push(slips);
      diagonal = up;
    }
    [before, row] = [row, next];
  }
  return slips;
}
