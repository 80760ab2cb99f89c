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

/**
 * A WASI program that prints `text` on its stdout and exits with 0, after it has asked for the time and has closed a descriptor that it does not
 * have; it traps where the time is 0, or one of the two answers is another than it should be.
 */
export function wasmThatAsksTheTime(text: string): Buffer {
  const content = Buffer.from(text);
  const vector = Buffer.alloc(8);
  vector.writeUInt32LE(TEXT_AT, 0);
  vector.writeUInt32LE(content.length, 4);
  const trapIf = [0x04, 0x40, 0x00, 0x0b];
  const body = [
    0,
    ...[...i32(1), 0x42, 0, ...i32(8), 0x10, 1, ...trapIf], // clock_time_get(monotonic, 0, 8)
    ...[...i32(8), 0x29, 3, 0, 0x50, ...trapIf], // the 64 bits there are 0
    ...[...i32(5), 0x10, 2, ...i32(EBADF), 0x47, ...trapIf], // fd_close(5)
    ...[...i32(1), ...i32(0), ...i32(1), ...i32(8), 0x10, 0, 0x1a], // fd_write(stdout, 0, 1, 8)
    ...[...i32(0), 0x10, 3, 0x0b], // proc_exit(0)
  ];
  const from = name('wasi_snapshot_preview1');
  return Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [
      ...[5, 0x60, 4, I32, I32, I32, I32, 1, I32, 0x60, 0, 0, 0x60, 3, I32, I64, I32, 1, I32],
      ...[0x60, 1, I32, 1, I32, 0x60, 1, I32, 0],
    ]),
    ...section(2, [
      ...[4, ...from, ...name('fd_write'), 0, 0, ...from, ...name('clock_time_get'), 0, 2],
      ...[...from, ...name('fd_close'), 0, 3, ...from, ...name('proc_exit'), 0, 4],
    ]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('_start'), 0, 4]),
    ...section(10, [1, ...leb(body.length), ...body]),
    ...section(11, [
      2,
      ...[0, ...i32(0), 0x0b, ...leb(8), ...vector],
      ...[0, ...i32(TEXT_AT), 0x0b, ...leb(content.length), ...content],
    ]),
  ]);
}

const I32 = 0x7f;
const I64 = 0x7e;
const EBADF = 8;
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
