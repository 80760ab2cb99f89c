import type { RuntimeDefinition } from '../manifest/index.js';

/** The program that a service is run by, and the field of the manifest that names it. */
export interface RuntimeProgram {
  readonly pointer: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** Null for what is run without a program of its own. */
export function programOf(runtime: RuntimeDefinition): RuntimeProgram | null {
  if (runtime.type === 'native_proc') {
    const { executablePath, args, cwd } = runtime;
    return { pointer: '/runtime/executable_path', file: executablePath, args, cwd };
  }
  if (runtime.type !== 'mcp' || runtime.server.program === null) return null;
  const { executablePath, args, cwd } = runtime.server.program;
  return { pointer: '/runtime/command', file: executablePath, args, cwd };
}

/** The environment that its manifest sets. */
export function envOf(runtime: RuntimeDefinition): Readonly<Record<string, string>> {
  if (runtime.type === 'mcp') return runtime.server.env;
  return 'env' in runtime ? runtime.env : {};
}
