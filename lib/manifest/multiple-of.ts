import { decimalFrom, isMultipleOfDecimal } from '../core/index.js';

/** Whether a number is a multiple of another, as both are written in decimal: 0.07 is one of 0.01. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  return isMultipleOfDecimal(decimalFrom(String(value)), decimalFrom(String(divisor)));
}
