/** The test files that take longest, in the order in which they are started: before all others. */
export const LONG_FIRST: readonly string[] = [];

/** Test files that measure time or memory of their own process: they run by themselves, after the others. */
export const ALONE: ReadonlySet<string> = new Set();
