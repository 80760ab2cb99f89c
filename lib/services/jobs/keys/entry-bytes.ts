import { crc32 } from 'node:zlib';
import type { Entry } from './key-table.js';

/** An entry of the table of the newest segment, as it is added to its file: 40 bytes, the last four a checksum. */
export const ENTRY_BYTES = 40;

export function bytesFromEntry(entry: Entry): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.writeDoubleLE(entry.hash, 0);
  bytes.writeDoubleLE(entry.atMs, 8);
  bytes.writeUInt32LE(entry.principal, 16);
  bytes.writeUInt32LE(entry.offset, 20);
  bytes.writeUInt32LE(entry.length, 24);
  bytes.writeUInt32LE(entry.ended ? 1 : 0, 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, ENTRY_BYTES - 4)), ENTRY_BYTES - 4);
  return bytes;
}

/** The entries that are whole, and whether all are. */
export function entriesFrom(bytes: Buffer): { entries: Entry[]; whole: boolean } {
  const entries: Entry[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    if (crc32(bytes.subarray(at, at + ENTRY_BYTES - 4)) !== bytes.readUInt32LE(at + ENTRY_BYTES - 4))
      continue;
    entries.push({
      hash: bytes.readDoubleLE(at),
      atMs: bytes.readDoubleLE(at + 8),
      principal: bytes.readUInt32LE(at + 16),
      offset: bytes.readUInt32LE(at + 20),
      length: bytes.readUInt32LE(at + 24),
      ended: bytes.readUInt32LE(at + 28) === 1,
    });
  }
  return { entries, whole: entries.length * ENTRY_BYTES === bytes.length };
}
