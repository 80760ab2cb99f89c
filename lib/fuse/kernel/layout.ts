/** A C type of the header, or a struct inside a struct. All is little-endian, as on the machines Node runs on. */
export type FieldType = 'u16' | 'u32' | 'i32' | 'u64' | 'i64' | Struct<Record<string, FieldType>> | Repeated;
type Repeated = readonly ['u16' | 'u32', count: number];

/** Where the fields of a struct lie. `at` has the byte offset of each field. */
export interface Struct<Fields extends Record<string, FieldType>> {
  readonly name: string;
  readonly byteLength: number;
  readonly align: number;
  readonly at: { readonly [Name in keyof Fields]: number };
}

/** Lays `fields` out as a C compiler does: each at the next multiple of its own alignment, the whole padded. */
export function struct<const Fields extends Record<string, FieldType>>(
  name: string,
  fields: Fields,
): Struct<Fields> {
  const at: Record<string, number> = {};
  let end = 0;
  let align = 1;
  for (const [field, type] of Object.entries(fields)) {
    const own = measure(type);
    end = roundUp(end, own.align);
    at[field] = end;
    end += own.byteLength;
    align = Math.max(align, own.align);
  }
  return { name, byteLength: roundUp(end, align), align, at: at as Struct<Fields>['at'] };
}

function measure(type: FieldType): { byteLength: number; align: number } {
  if (typeof type === 'string') {
    const byteLength = Number(type.slice(1)) / 8;
    return { byteLength, align: byteLength };
  }
  if ('name' in type) return type;
  const one = measure(type[0]);
  return { byteLength: one.byteLength * type[1], align: one.align };
}

/** FUSE_REC_ALIGN: variable-length records are padded to 8 bytes. */
export function recordAlign(bytes: number): number {
  return roundUp(bytes, 8);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

const TWO_32 = 2 ** 32;

/**
 * The memory of `bytes`, as structs are read and written in: V8 makes single instructions of what a DataView
 * does, where the methods of Buffer take a byte at a time.
 */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An unsigned 64-bit number. Above 2^53 precision is lost: ids, offsets and handles here stay below. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}

/** The reverse of `readU64`, for whole numbers from 0 to 2^53. */
export function writeU64(view: DataView, value: number, at: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}
