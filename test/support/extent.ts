import t from 'tap';

/** `npm run test:endurance` sets it. */
const isLong = process.env.ACHERON_TEST_LONG === '1';
const USUAL_SEED = 20_261_126;

/**
 * Where all that is random in tests starts: always the same in `npm test`, one that nobody tried in
 * `npm run test:endurance`. It is printed, and `ACHERON_TEST_SEED` repeats what failed.
 */
export const SEED = Number(process.env.ACHERON_TEST_SEED ?? (isLong ? Date.now() % 2 ** 31 : USUAL_SEED));
t.comment(`ACHERON_TEST_SEED=${SEED}`);

/** How much a test does: little in `npm test`, much in `npm run test:endurance`, or as much as the variable says. */
export function extent(variable: string, { short, long }: { short: number; long: number }): number {
  return Number(process.env[variable] ?? (isLong ? long : short));
}
