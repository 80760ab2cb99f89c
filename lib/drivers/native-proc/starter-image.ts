import { type CallName, type Instructions } from './instructions.js';

/** One call of the kernel. Bytes are passed by their address. */
export interface SystemCall {
  readonly name: CallName;
  readonly args: readonly (number | Uint8Array)[];
}

/** The exit status of a starter that failed, which is what shells give as well. */
export const STARTER_FAILED = 127;

const ADDRESS = 0x40_0000;
/** The largest page there is. */
const ALIGNMENT = 0x1_0000;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SEGMENTS = 2;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474_e551;
const READ_EXECUTE = 5;
const READ_WRITE = 6;

/**
 * A program, as an ELF file, that makes these calls and then becomes the program that its own words name: first a
 * path, then the words of that program. Where one fails, nothing further is done: it writes its pid, the negative
 * errno and the index of the call (of becoming: one more than there are) to `failures` and exits.
 *
 * It has no library, so nothing that its variables say (LD_PRELOAD) matters to it.
 */
export function starterImage(
  instructions: Instructions,
  steps: readonly SystemCall[],
  failures: number,
): Buffer {
  const { calls } = instructions;
  const data: number[] = [];
  const start = HEADER_BYTES + SEGMENTS * SEGMENT_BYTES;
  const valueOf = (argument: number | Uint8Array): number => {
    if (typeof argument === 'number') return argument;
    const address = ADDRESS + start + data.length;
    data.push(...argument);
    while (data.length % 8 !== 0) data.push(0);
    return address;
  };
  const wanted = steps.map(({ name, args }) => ({ number: calls[name], values: args.map(valueOf) }));

  const code = [...instructions.report(failures), ...instructions.call(calls.exit_group, [STARTER_FAILED])];
  const entry = code.length;
  const failHere = (): void => void code.push(...instructions.ifFailed(-code.length));
  wanted.forEach(({ number, values }, at) => {
    code.push(...instructions.step(at), ...instructions.call(number, values));
    failHere();
  });
  code.push(...instructions.step(wanted.length), ...instructions.become);
  failHere();

  const size = start + data.length + code.length;
  return Buffer.concat([
    header(instructions.elfMachine, ADDRESS + start + data.length + entry),
    segment(PT_LOAD, READ_EXECUTE, ADDRESS, size, ALIGNMENT),
    // Without it, everything that can be read could be executed as well, also in what it becomes.
    segment(PT_GNU_STACK, READ_WRITE, 0, 0, 16),
    Buffer.from(data),
    Buffer.from(code),
  ]);
}

function header(machine: number, entry: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian, version 1
  bytes.writeUInt16LE(2, 16); // ET_EXEC
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(entry), 24);
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32); // where the segments are
  bytes.writeUInt16LE(HEADER_BYTES, 52);
  bytes.writeUInt16LE(SEGMENT_BYTES, 54);
  bytes.writeUInt16LE(SEGMENTS, 56);
  return bytes;
}

function segment(type: number, flags: number, address: number, size: number, alignment: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_BYTES);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(flags, 4);
  bytes.writeBigUInt64LE(BigInt(address), 16);
  bytes.writeBigUInt64LE(BigInt(address), 24);
  bytes.writeBigUInt64LE(BigInt(size), 32);
  bytes.writeBigUInt64LE(BigInt(size), 40);
  bytes.writeBigUInt64LE(BigInt(alignment), 48);
  return bytes;
}
