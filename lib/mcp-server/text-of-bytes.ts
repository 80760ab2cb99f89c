/** The text that these bytes are; undefined where they are none. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  try {
    return bytes.includes(0) ? undefined : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // It is not UTF-8.
    return undefined;
  }
}
