/** Whether a number is a multiple of another, as both are written in decimal: 0.07 is one of 0.01. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [a, b] = [decimalFrom(value), decimalFrom(divisor)];
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = (of: Decimal): bigint => of.digits * 10n ** BigInt(of.exponent - exponent);
  return scaled(a) % scaled(b) === 0n;
}

interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The shortest decimal that is this number. */
function decimalFrom(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}
