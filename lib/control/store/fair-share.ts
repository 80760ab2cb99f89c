/** What is counted of somebody's records. */
export type Measure = 'records' | 'bytes';

/** How much is kept of one owner, who is at home at one origin (the control plane, a node). */
export interface Account extends Readonly<Record<Measure, number>> {
  readonly origin: string | null;
}

/** What is kept of a maximum once it was exceeded, so that not each record brings a sweep. */
const LOW_WATER = 63 / 64;

/** What of a maximum is left by a sweep; at least one record. */
export function lowWater(most: number): number {
  return Math.ceil(most * LOW_WATER);
}

/**
 * How much each of several may keep so that all of them fit `budget`: one that has less than this keeps all, and
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

/**
 * Those that have more than is fair so that all fit `budget`, and by how much. It is shared among the origins first,
 * then within each among its owners: an origin that invents owners takes from none but itself.
 */
export function excesses<A extends Account>(
  accounts: readonly A[],
  measure: Measure,
  budget: number,
): { readonly account: A; readonly excess: number }[] {
  const byOrigin = new Map<string | null, A[]>();
  for (const account of accounts) {
    const own = byOrigin.get(account.origin);
    if (own === undefined) byOrigin.set(account.origin, [account]);
    else own.push(account);
  }
  const sum = (own: readonly A[]): number => own.reduce((all, account) => all + account[measure], 0);
  const ofOrigin = fairShare([...byOrigin.values()].map(sum), budget);
  return [...byOrigin.values()]
    .filter((own) => sum(own) > ofOrigin)
    .flatMap((own) => {
      const share = fairShare(
        own.map((account) => account[measure]),
        ofOrigin,
      );
      return own.map((account) => ({ account, excess: account[measure] - share }));
    })
    .filter(({ excess }) => excess > 0);
}
