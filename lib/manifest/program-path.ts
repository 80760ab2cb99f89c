import { resolve } from 'node:path';

/** A program with a slash is a path from the manifest's folder; one without is looked up on PATH. */
export function programFrom(program: string, folder: string): string {
  return program.includes('/') ? resolve(folder, program) : program;
}
