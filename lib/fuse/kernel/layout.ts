/** A C type of the header, or a struct inside a struct. Everything is little-endian, as on the machines Node runs on. */
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

/** An unsigned 64-bit number. Above 2^53 precision is lost: ids, offsets and handles here stay below. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32;
}

/** The reverse of `readU64`, for whole numbers from 0 to 2^53. */
export function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value >>> 0, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}
