/** One thing that is wrong (or, as a warning, odd) with a manifest, and where. */
export interface ManifestFault {
  readonly file: string;
  /** Counted from 1; columns count UTF-16 code units, as editors do. */
  readonly line: number;
  readonly column: number;
  /** JSON Pointer (RFC 6901) to the value; empty for the whole document. */
  readonly pointer: string;
  /** One sentence: what is wrong. Never the value of an environment variable. */
  readonly message: string;
  readonly expected: string;
  readonly got: string;
  /** One sentence: what to do; empty where the message says it all. */
  readonly hint: string;
}

/** `file:line:column: message`, the form that editors and compilers share. */
export function lineFromFault(fault: ManifestFault): string {
  return `${fault.file}:${fault.line}:${fault.column}: ${fault.message}`;
}

export type PathStep = string | number;

/** A fault before its place in the text is known. */
export interface Problem {
  readonly path: readonly PathStep[];
  readonly message: string;
  readonly expected: string;
  readonly got: string;
  readonly hint?: string;
  /** The place is the property's name rather than its value. */
  readonly atKey?: boolean;
}

/** Gathers what is wrong, so that a reader can go on and report everything at once. */
export class Problems {
  readonly faults: Problem[] = [];
  readonly warnings: Problem[] = [];

  fault(problem: Problem): void {
    this.faults.push(problem);
  }

  warn(problem: Problem): void {
    this.warnings.push(problem);
  }
}

export function pointerFromPath(path: readonly PathStep[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function pathFromPointer(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
