/**
 * Lets each contender have its turn in every round, so that a slow moment of the machine hits all of them
 * alike; the order shifts by one each round. Answers all figures by contender.
 */
export async function interleave(
  contenders: ReadonlyMap<string, () => Promise<number>>,
  rounds: number,
): Promise<Map<string, number[]>> {
  const turns = [...contenders].map(([name, measure]) => ({ name, measure, figures: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    const first = round % Math.max(1, turns.length);
    for (const turn of [...turns.slice(first), ...turns.slice(0, first)])
      turn.figures.push(await turn.measure());
  }
  return new Map(turns.map(({ name, figures }) => [name, figures]));
}

/**
 * The same by single actions, one of each in turn for `seconds` each, so that all of them find the machine in
 * the same state: a processor that sleeps between two messages takes longer than all that is measured.
 * Answers how long each action took, us.
 */
export async function alternate(
  actions: ReadonlyMap<string, () => unknown>,
  seconds: number,
): Promise<Map<string, number[]>> {
  const turns = [...actions].map(([name, action]) => ({ name, action, figures: [] as number[] }));
  const endMs = performance.now() + seconds * 1000 * actions.size;
  while (performance.now() < endMs) {
    for (const { action, figures } of turns) {
      const startMs = performance.now();
      await action();
      figures.push((performance.now() - startMs) * 1000);
    }
  }
  return new Map(turns.map(({ name, figures }) => [name, figures]));
}

export function median(figures: readonly number[]): number {
  return quantile(figures, 0.5);
}

/** The figure below which the share `q` of them lies. */
export function quantile(figures: readonly number[], q: number): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

/** The medians, ready for a `Row`. */
export function medians(figures: ReadonlyMap<string, readonly number[]>): Record<string, number> {
  return Object.fromEntries([...figures].map(([name, list]) => [name, median(list)]));
}
