/** The test files that take longest, in the order in which they are started: before all others. */
export const LONG_FIRST: readonly string[] = [];

/** Test files that measure time or memory of their own process: they run by themselves, after the others. */
export const ALONE: ReadonlySet<string> = new Set();

/** What `npm run test:endurance` runs for long, besides test/endurance: see `extent`. */
export const LONG: ReadonlySet<string> = new Set([
  'attacks/fuzz',
  'control/fuzz',
  'drivers/stress',
  'faults/processes',
  'faults/transport',
  'fuse/endurance',
  'fuse/forgetting',
  'node/random-damage',
  'plane/node-records',
  'services/jobs/keys-model',
  'services/kill',
  'services/stress',
]);
