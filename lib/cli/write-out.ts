import { harmless } from './harmless.js';

/** Characters may be cut between two writes of bytes. */
const decoders = { out: new TextDecoder(), err: new TextDecoder() };

/**
 * Writes to standard output, and waits while its reader is slow; `watchOutput` sees to what fails. A
 * terminal gets what would act on it shown, a pipe or file the bytes as they are.
 */
export function writeOut(bytes: Uint8Array | string): Promise<void> {
  return writeStyled(process.stdout.isTTY ? shown(bytes, decoders.out) : bytes);
}

/** Text that has colours of our own: what others wrote was made harmless before. */
export function writeStyled(text: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

/** Writes to standard error, as `writeOut` does. */
export function writeError(bytes: Uint8Array | string): void {
  process.stderr.write(process.stderr.isTTY ? shown(bytes, decoders.err) : bytes);
}

/** For text in which colours of our own follow: made harmless where standard error is a terminal. */
export function forError(text: string): string {
  return process.stderr.isTTY ? harmless(text) : text;
}

/** The same for standard output. */
export function forOut(text: string): string {
  return process.stdout.isTTY ? harmless(text) : text;
}

function shown(bytes: Uint8Array | string, decoder: typeof decoders.out): string {
  return harmless(typeof bytes === 'string' ? bytes : decoder.decode(bytes, { stream: true }));
}
