// `console`: builds the web console's pages, console/, into dist/console. All that they load is in there.
import { join } from 'node:path';
import { build } from 'vite';

const top = join(import.meta.dirname, '..');

await build({
  configFile: false,
  root: join(top, 'console'),
  base: '/console/',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(top, 'dist/console'),
    emptyOutDir: true,
    target: 'es2022',
    // What is built in would be a data: address, which the pages' policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'LICENSES.md' },
    reportCompressedSize: false,
  },
});
