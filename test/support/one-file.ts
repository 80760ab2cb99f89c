import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { Teardown } from './test-node.js';

/** A program with all that it imports in one file, beside it or in `dir`: what is started often takes half the time. */
export async function inOneFile(t: Teardown, program: string, dir = dirname(program)): Promise<string> {
  const outfile = join(dir, basename(program).replace(/\.(m?js)$/, `-${process.pid}.$1`));
  t.teardown(() => rmSync(outfile, { force: true }));
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    external: ['bufferutil', 'fuse-native', 'koffi', 'libsql', 'prom-client'],
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return outfile;
}
