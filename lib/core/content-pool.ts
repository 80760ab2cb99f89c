/** Memory that is shorter is cheap to make anew; longer is rare. */
const LEAST_BYTES = 16 * 1024;
const MOST_BYTES = 1024 * 1024;
/** So much is kept for further use, of all sizes together. */
const MOST_KEPT_BYTES = 8 * 1024 * 1024;

/** Memory for content on its way. Whoever does not give it back leaves it to be collected. */
export interface Lent {
  readonly bytes: Buffer;
  /** Nobody looks at it any longer. To be called once at most; absent where it is not used again. */
  readonly giveBack?: () => void;
}

const kept = new Map<number, Buffer[]>();
let keptBytes = 0;

/**
 * Memory of `length` bytes with anything in it. A stream needs some for each piece, and to have all of it made and collected takes
 * a good part of the time that the stream takes.
 */
export function lendBytes(length: number): Lent {
  if (length < LEAST_BYTES || length > MOST_BYTES) return { bytes: Buffer.allocUnsafe(length) };
  const size = 2 ** Math.ceil(Math.log2(length));
  const free = kept.get(size)?.pop();
  if (free !== undefined) keptBytes -= size;
  const whole = free ?? Buffer.allocUnsafeSlow(size);
  return { bytes: whole.subarray(0, length), giveBack: () => keep(whole) };
}

function keep(whole: Buffer): void {
  const size = whole.byteLength;
  if (keptBytes + size > MOST_KEPT_BYTES) return;
  let free = kept.get(size);
  if (free === undefined) kept.set(size, (free = []));
  free.push(whole);
  keptBytes += size;
}
