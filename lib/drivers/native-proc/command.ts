import type { Handed } from './handed-file.js';
import type { Ids } from './ids.js';
import type { KernelLimit } from './resource-limits.js';

/** A program to start: no shell sees any of it. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly ids: Ids | null;
  /** What the kernel holds it to; absent: nothing that does not hold for this process as well. */
  readonly limits?: readonly KernelLimit[];
  /** Descriptors that the program gets besides its input and output. */
  readonly handed?: readonly Handed[];
  /** It is a Node program, with which messages can be exchanged. */
  readonly hasMessages?: boolean;
}
