/** A number as it is written in decimal, however long: `digits` × 10 to the `exponent`. */
export interface Decimal {
  readonly negative: boolean;
  /** Without zeros at either end; empty for zero. */
  readonly digits: string;
  readonly exponent: bigint;
}

/** The number that a JSON text says. */
export function decimalFrom(text: string): Decimal {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:[eE]\+?(-?\d+))?$/.exec(text) ?? [];
  const all = whole + fraction;
  let from = 0;
  while (all.charCodeAt(from) === ZERO) from++;
  let to = all.length;
  while (to > from && all.charCodeAt(to - 1) === ZERO) to--;
  return {
    negative: sign === '-' && to > from,
    digits: all.slice(from, to),
    exponent: to === from ? 0n : BigInt(exponent) + BigInt(all.length - to - fraction.length),
  };
}

const ZERO = 0x30;

/** Equal for equal numbers; itself a number of JSON. */
export function textFromDecimal({ negative, digits, exponent }: Decimal): string {
  return digits === '' ? '0' : `${negative ? '-' : ''}${digits}${exponent === 0n ? '' : `e${exponent}`}`;
}

/** Negative, zero or positive as `a` is less, equal or more. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const sign = signOf(a);
  return sign === signOf(b) ? sign * compareMagnitudes(a, b) : sign - signOf(b);
}

function signOf({ negative, digits }: Decimal): number {
  return digits === '' ? 0 : negative ? -1 : 1;
}

function compareMagnitudes(a: Decimal, b: Decimal): number {
  const [topOfA, topOfB] = [a, b].map(({ digits, exponent }) => exponent + BigInt(digits.length)) as [
    bigint,
    bigint,
  ];
  if (topOfA !== topOfB) return topOfA < topOfB ? -1 : 1;
  return a.digits === b.digits ? 0 : a.digits < b.digits ? -1 : 1;
}

export function isWhole({ exponent }: Decimal): boolean {
  return exponent >= 0n;
}

export function isMultipleOfDecimal(value: Decimal, divisor: Decimal): boolean {
  if (value.digits === '') return true;
  const exponent = value.exponent - divisor.exponent;
  // The digits of neither end in a zero, so that none makes up for what is missing.
  if (exponent < 0n) return false;
  const of = BigInt(divisor.digits);
  return ((BigInt(value.digits) % of) * powerOfTen(exponent, of)) % of === 0n;
}

/** 10 to the `exponent`, modulo `modulus`. */
function powerOfTen(exponent: bigint, modulus: bigint): bigint {
  let result = 1n % modulus;
  let base = 10n % modulus;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * base) % modulus;
    base = (base * base) % modulus;
  }
  return result;
}
