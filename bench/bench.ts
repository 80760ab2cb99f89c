import type { Tools } from './tools.js';

/** One measurement: the same thing done by several contenders, in turns, in one run. */
export interface BenchCase {
  /** For `--only`; also the key in the JSON. */
  readonly name: string;
  /** One line on what is compared. */
  readonly title: string;
  /** @throws CannotRun where this machine lacks what the case needs. */
  run(bench: Bench): Promise<readonly Row[]>;
}

/** What a case may use. */
export interface Bench {
  /** How often each contender has its turn. */
  readonly rounds: number;
  /** How long one turn of the load generator lasts. */
  readonly seconds: number;
  /** A folder of this run's own, removed at its end. */
  readonly folder: string;
  /** The C programs, built on first use. */
  tools(): Promise<Tools>;
  /** Progress, for people. */
  say(line: string): void;
}

/** One line of a case's table. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** Medians by contender, in the order in which they are shown; null where one could not take part. */
  readonly values: Readonly<Record<string, number | null>>;
  /** The contender that the others are divided by; none where the figure stands for itself. */
  readonly baseline?: string;
  /** What the ratio (or the figure) should be, as shown beside it. */
  readonly aim?: string;
}

/** A case, or one of its contenders, cannot take part here; the message says why. */
export class CannotRun extends Error {}
