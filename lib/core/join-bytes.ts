/** The parts as one. A single part is given back itself, not copied. */
export function joinBytes<Bytes extends Uint8Array>(parts: readonly Bytes[]): Bytes | Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
