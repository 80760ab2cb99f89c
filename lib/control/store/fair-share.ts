/**
 * How much each of several may keep so that all of them fit `budget`: who has less than this keeps all, and
 * only who has more gives anything up. Infinity where all fit as they are.
 */
export function fairShare(amounts: readonly number[], budget: number): number {
  if (amounts.reduce((sum, amount) => sum + amount, 0) <= budget) return Infinity;
  let left = budget;
  for (const [at, amount] of [...amounts].sort((a, b) => a - b).entries()) {
    const share = left / (amounts.length - at);
    if (amount > share) return share;
    left -= amount;
  }
  return Infinity;
}
