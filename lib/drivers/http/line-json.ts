/** The text where it is JSON on one line; else it as a JSON string. */
export function lineJson(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return /[\r\n]/.test(text) ? JSON.stringify(value) : text;
  } catch {
    // Events may be any text.
    return JSON.stringify(text);
  }
}
