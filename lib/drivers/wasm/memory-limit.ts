import { FsError } from '../../core/index.js';

const PAGE_BYTES = 65_536;
const MEMORY_SECTION = 5;
const HEADER_BYTES = 8;

/**
 * The module with its memory's maximum lowered to `maxBytes`, so that the engine itself refuses to grow
 * it further (WebAssembly core specification, 5.5.8: the memory section holds limits as LEB128 numbers).
 * @throws FsError EIO when the module starts with more than that, or its memory is not an ordinary one.
 */
export function withMemoryLimit(wasm: Uint8Array, maxBytes: number): Uint8Array {
  const maxPages = Math.floor(maxBytes / PAGE_BYTES);
  for (let at = HEADER_BYTES; at < wasm.length;) {
    const id = wasm[at];
    const size = readNumber(wasm, at + 1);
    const end = size.next + size.value;
    if (id === MEMORY_SECTION) {
      const section = limitedSection(wasm, size.next, maxPages);
      return Buffer.concat([
        wasm.subarray(0, at + 1),
        Buffer.from(numberBytes(section.length)),
        Buffer.from(section),
        wasm.subarray(end),
      ]);
    }
    at = end;
  }
  return wasm;
}

function limitedSection(wasm: Uint8Array, at: number, maxPages: number): number[] {
  const count = readNumber(wasm, at);
  const flags = wasm[count.next] ?? 0;
  if (count.value !== 1 || flags > 1)
    throw new FsError('EIO', 'The WebAssembly module has shared, 64-bit or several memories.', {
      hint: 'Build it with one ordinary memory, or take "max_memory_bytes" out of the manifest.',
    });
  const minimum = readNumber(wasm, count.next + 1);
  const declared = flags === 1 ? readNumber(wasm, minimum.next).value : Infinity;
  if (minimum.value > maxPages)
    throw new FsError(
      'EIO',
      `The WebAssembly module starts with ${minimum.value * PAGE_BYTES} bytes of memory, more than "max_memory_bytes".`,
      { hint: 'Raise "max_memory_bytes" in the manifest, or build the module with less memory.' },
    );
  return [1, 1, ...numberBytes(minimum.value), ...numberBytes(Math.min(declared, maxPages))];
}

/** An unsigned LEB128 number and where it ends. */
function readNumber(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0, next = at; ; shift += 7) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, next };
  }
}

function numberBytes(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
