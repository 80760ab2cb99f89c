import { rmSync } from 'node:fs';
import { build } from 'esbuild';
import type { Teardown } from './test-node.js';

/** A compiled program with all that it imports in one file beside it: what is started often takes half the time. */
export async function inOneFile(t: Teardown, program: string): Promise<string> {
  const outfile = program.replace(/\.js$/, `-${process.pid}.js`);
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
