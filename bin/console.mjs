// `console`: builds the web console's pages, console/, into dist/console. All that they load is in there.
import { join } from 'node:path';
import { build } from 'vite';

const top = join(import.meta.dirname, '..');

/** Rooms that the page shares with the node import some of Node's own, for what the page does not use: here they are empty. */
const withoutNode = {
  name: 'without-node',
  enforce: 'pre',
  resolveId: (id) => (id.startsWith('node:') ? '\0none' : null),
  load: (id) => (id === '\0none' ? { code: 'module.exports = {};', moduleSideEffects: false } : null),
};

await build({
  configFile: false,
  root: join(top, 'console'),
  base: '/console/',
  logLevel: 'warn',
  plugins: [withoutNode],
  // Who may do what is decided by the very function that decides it.
  resolve: { alias: { 'acheron/policy': join(top, 'dist/lib/policy/index.js') } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    // Of those rooms, only what is used is taken.
    rolldownOptions: { treeshake: { moduleSideEffects: (id) => !id.includes('/dist/lib/') } },
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
