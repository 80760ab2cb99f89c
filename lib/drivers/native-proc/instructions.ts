/**
 * The instructions of one kind of processor for a program that does nothing but call the kernel. Each is made once, in
 * order; an argument has 32 bits, as the addresses of so small a program have.
 */
export interface Instructions {
  /** As an ELF header names the processor. */
  readonly elfMachine: number;
  /** The kernel's numbers of its calls. */
  readonly calls: Readonly<Record<CallName, number>>;
  /** Says which step what follows is. */
  step(number: number): readonly number[];
  call(number: number, args: readonly number[]): readonly number[];
  /** Jumps, so many bytes from the start of this instruction, where the last call failed. */
  ifFailed(distance: number): readonly number[];
  /** execve with the process's words: the first is the path, the others are the new words; the variables stay. */
  readonly become: readonly number[];
  /** Puts the pid, what the last call answered and the step on the stack, 64 bits each, and writes them to `fd`. */
  report(fd: number): readonly number[];
}

export type CallName = keyof typeof X64_CALLS;

/** Of a failure's report: pid, answer, step. */
export const REPORT_BYTES = 24;

/** See syscall(2), and the tables of the kernel's source. */
const X64_CALLS = { write: 1, getpid: 39, execve: 59, fcntl: 72, setgroups: 116, setresuid: 117, setresgid: 119, prctl: 157, exit_group: 231, prlimit64: 302 }; // prettier-ignore
const ARM64_CALLS = { write: 64, getpid: 172, execve: 221, fcntl: 25, setgroups: 159, setresuid: 147, setresgid: 149, prctl: 167, exit_group: 94, prlimit64: 261 }; // prettier-ignore

function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** mov r32, imm32, for the arguments of a call in their order. */
const X64_ARGUMENTS = [[0xbf], [0xbe], [0xba], [0x41, 0xba], [0x41, 0xb8]];

function x64Call(number: number, args: readonly number[]): number[] {
  return [
    ...args.flatMap((value, at) => [...(X64_ARGUMENTS[at] ?? []), ...word(value)]),
    ...[0xb8, ...word(number)], // mov eax, number
    ...[0x0f, 0x05], // syscall
  ];
}

const x64: Instructions = {
  elfMachine: 62,
  calls: X64_CALLS,
  step: (number) => [0xbb, ...word(number)], // mov ebx, number
  call: x64Call,
  ifFailed: (distance) => [
    ...[0x48, 0x85, 0xc0], // test rax, rax
    ...[0x0f, 0x88, ...word(distance - 9)], // js distance, counted from its end
  ],
  become: [
    ...[0x48, 0x8b, 0x7c, 0x24, 0x08], // mov rdi, [rsp + 8]
    ...[0x48, 0x8d, 0x74, 0x24, 0x10], // lea rsi, [rsp + 16]
    ...[0x48, 0x8b, 0x14, 0x24], // mov rdx, [rsp]: how many words
    ...[0x48, 0x8d, 0x54, 0xd4, 0x10], // lea rdx, [rsp + rdx * 8 + 16]
    ...x64Call(X64_CALLS.execve, []),
  ],
  report: (fd) => [
    ...[0x53, 0x50], // push rbx; push rax
    ...x64Call(X64_CALLS.getpid, []),
    0x50, // push rax
    ...[0x48, 0x89, 0xe6], // mov rsi, rsp
    ...[0xbf, ...word(fd)], // mov edi, fd
    ...[0xba, ...word(REPORT_BYTES)], // mov edx, REPORT_BYTES
    ...x64Call(X64_CALLS.write, []),
  ],
};

/** movz, movk: the lower half of a register, then the upper of 32 bits. */
function arm64Set(register: number, value: number): number[] {
  return [
    ...word((0xd2800000 | ((value & 0xffff) << 5) | register) >>> 0),
    ...word((0xf2a00000 | ((value >>> 16) << 5) | register) >>> 0),
  ];
}

function arm64Call(number: number, args: readonly number[]): number[] {
  return [
    ...args.flatMap((value, at) => arm64Set(at, value)),
    ...arm64Set(8, number),
    ...word(0xd4000001), // svc #0
  ];
}

const arm64: Instructions = {
  elfMachine: 183,
  calls: ARM64_CALLS,
  step: (number) => arm64Set(20, number),
  call: arm64Call,
  ifFailed: (distance) => word((0xb7f80000 | (((distance >> 2) & 0x3fff) << 5)) >>> 0), // tbnz x0, #63, distance
  become: [
    ...word(0xf94007e0), // ldr x0, [sp, #8]
    ...word(0x910043e1), // add x1, sp, #16
    ...word(0xf94003e2), // ldr x2, [sp]: how many words
    ...word(0x8b226fe2), // add x2, sp, x2, uxtx #3
    ...word(0x91004042), // add x2, x2, #16
    ...arm64Call(ARM64_CALLS.execve, []),
  ],
  report: (fd) => [
    ...word(0xaa0003f3), // mov x19, x0
    ...arm64Call(ARM64_CALLS.getpid, []),
    ...word(0xf81f0ff4), // str x20, [sp, #-16]!
    ...word(0xa9bf4fe0), // stp x0, x19, [sp, #-16]!
    ...word(0x910003e1), // mov x1, sp
    ...arm64Set(0, fd),
    ...arm64Set(2, REPORT_BYTES),
    ...arm64Call(ARM64_CALLS.write, []),
  ],
};

/** By the name that Node has for the processor. */
export const INSTRUCTIONS: Readonly<Partial<Record<NodeJS.Architecture, Instructions>>> = { x64, arm64 };
