// fuse-native hands what it is given to C without a look, and an answer of the wrong type ends the process.
// So what a tree answers is looked at here; a TypeError becomes EIO and a line in the log.

/** @throws TypeError */
export function checkedBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError('A tree answered something else where bytes were due.');
}

/** @throws TypeError */
export function checkedText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('A tree answered something else where text was due.');
}

/**
 * A name for readdir(3); the kernel refuses the whole listing over a bad one.
 * @throws TypeError
 */
export function checkedName(value: unknown): string {
  const name = checkedText(value);
  if (name === '' || name.includes('/') || name.includes('\0'))
    throw new TypeError(`A tree listed the name ${JSON.stringify(name)}.`);
  return name;
}

/** @throws TypeError unless it says how many of `length` bytes were taken. */
export function checkedCount(value: unknown, length: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= length)
    return value as number;
  throw new TypeError(`A tree took ${String(value)} of ${length} bytes.`);
}
