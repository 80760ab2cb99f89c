/**
 * Names of files as text. A name is bytes, most often UTF-8; a byte that is not part of any becomes the
 * lone surrogate U+DC00 + byte, and back, so that every name can be shown, asked for and carried in JSON
 * (Python's "surrogateescape").
 */

/** With the u flag it matches no half of a pair. */
const LONE = /[\udc80-\udcff]/u;
const LONE_ALL = /[\udc80-\udcff]/gu;
const LONE_BASE = 0xdc00;
const UTF8_PER_LONE = 3;

/** Whether `text` stands for bytes that are not UTF-8. */
export function isRawText(text: string): boolean {
  return LONE.test(text);
}

export function textFromBytes(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = bytes.toString('utf8', start, end);
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes.subarray(start, end))) return text;
  let raw = '';
  for (let at = start; at < end;) {
    const length = sequenceLength(bytes, at, end);
    raw +=
      length === 0
        ? String.fromCharCode(LONE_BASE + bytes.readUInt8(at))
        : bytes.toString('utf8', at, at + length);
    at += length === 0 ? 1 : length;
  }
  return raw;
}

export function bytesFromText(text: string): Buffer {
  if (!isRawText(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (const { index } of text.matchAll(LONE_ALL)) {
    parts.push(Buffer.from(text.slice(from, index)), Buffer.from([text.charCodeAt(index) - LONE_BASE]));
    from = index + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(from))]);
}

/** How many bytes `bytesFromText` gives. */
export function byteLengthOfText(text: string): number {
  const length = Buffer.byteLength(text);
  if (!isRawText(text)) return length;
  return length - (text.match(LONE_ALL)?.length ?? 0) * (UTF8_PER_LONE - 1);
}

/** The bytes of the character that begins at `at`; 0 where none does. */
function sequenceLength(bytes: Buffer, at: number, end: number): number {
  const first = bytes.readUInt8(at);
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  const whole = bytes.subarray(at, at + length);
  return Buffer.from(whole.toString('utf8')).equals(whole) ? length : 0;
}
