import { InvalidArgumentError } from 'commander';

const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds from `90s`, `15m`, `2h`, `1d`. */
export function durationMs(text: string): number {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = UNIT_MS.get(unit ?? '');
  if (factor === undefined) throw new InvalidArgumentError('It must look like 90s, 15m, 2h or 1d.');
  return Number(amount) * factor;
}
