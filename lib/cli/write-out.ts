/** Writes to standard output, and waits while whoever reads it is slow. `watchOutput` sees to what fails. */
export function writeOut(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(bytes, () => resolve()));
}
