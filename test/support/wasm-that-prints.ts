/** A WASI program that writes `text` to its stderr, with one call of fd_write, and ends. */
export function wasmThatPrints(text: string): Buffer {
  const content = Buffer.from(text);
  const vector = Buffer.alloc(8);
  vector.writeUInt32LE(TEXT_AT, 0);
  vector.writeUInt32LE(content.length, 4);
  const body = [0, ...i32(2), ...i32(0), ...i32(1), ...i32(8), 0x10, 0, 0x1a, 0x0b];
  return Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 4, I32, I32, I32, I32, 1, I32, 0x60, 0, 0]),
    ...section(2, [1, ...name('wasi_snapshot_preview1'), ...name('fd_write'), 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('_start'), 0, 1]),
    ...section(10, [1, ...leb(body.length), ...body]),
    ...section(11, [
      2,
      ...[0, ...i32(0), 0x0b, ...leb(8), ...vector],
      ...[0, ...i32(TEXT_AT), 0x0b, ...leb(content.length), ...content],
    ]),
  ]);
}

const I32 = 0x7f;
const TEXT_AT = 16;

/** `i32.const` of a small number. */
const i32 = (value: number): number[] => [0x41, ...leb(value)];

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];

const section = (id: number, bytes: readonly number[]): number[] => [id, ...leb(bytes.length), ...bytes];

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 64; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
