import * as modules from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { makePrivateDir } from '../disk/index.js';

/** Node 22.1 and later have it (nodejs.org/api/module.html, "Module compile cache"). */
type EnableCompileCache = (dir: string) => unknown;

/**
 * Lets Node keep compiled modules from one command to the next, where it can: half of what a command takes is
 * compiling. What is kept is believed like a program, so it is kept where nobody else can write, or not at all.
 */
export function keepCompiledModules(env: NodeJS.ProcessEnv = process.env): void {
  const { enableCompileCache } = modules as { enableCompileCache?: EnableCompileCache };
  const dir = enableCompileCache === undefined ? undefined : compiledDir(env);
  if (dir !== undefined) enableCompileCache?.(dir);
}

/** Where compiled code is kept; undefined where it is not to be, or cannot. */
export function compiledDir(env: NodeJS.ProcessEnv): string | undefined {
  if (env.NODE_DISABLE_COMPILE_CACHE !== undefined) return undefined;
  if (env.NODE_COMPILE_CACHE !== undefined) return undefined; // Node keeps modules there already
  try {
    const dir = cacheDir(env);
    makePrivateDir(dir);
    return dir;
  } catch {
    // No home, a read-only disk, somebody else's directory: then each command compiles for itself.
    return undefined;
  }
}

/** `$XDG_CACHE_HOME/acheron/compiled`; without that variable below `~/.cache`, for root below `/var/cache`. */
function cacheDir({ XDG_CACHE_HOME: base }: NodeJS.ProcessEnv): string {
  const usual = process.geteuid?.() === 0 ? '/var/cache' : join(homedir(), '.cache');
  return join(base?.startsWith('/') === true ? base : usual, 'acheron', 'compiled');
}
