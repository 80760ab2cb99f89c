// `bundle [DIR]`: joins what the compiler made into a few files, the program that the package installs, in
// dist/bundle/bin or DIR. Most of what a command takes is the loading of modules, by their number more than by
// their size. Names stay as they are, maps lead to the sources, and `import 'acheron'` gets dist/lib as before. Without
// DIR, the pages of the web console are built as well.
import { readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { EXTERNAL, OPTIONAL_EXTERNAL } from './externals.mjs';
import { zodApart } from './zod-apart.mjs';

const dist = join(import.meta.dirname, '../dist');
/** As deep as a room of dist/lib: some modules find the package by where they are. */
const outdir = resolve(process.argv[2] ?? join(dist, 'bundle/bin'));
/** Started as threads or processes, by their path beside the module that starts them. */
const beside = readdirSync(join(dist, 'lib'), { recursive: true }).filter((name) =>
  /-(worker|program)\.js$/.test(name),
);

const { metafile } = await build({
  entryPoints: [join(dist, 'bin/acheron.js'), ...beside.map((name) => join(dist, 'lib', name))],
  outdir,
  entryNames: '[name]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // These choose native code, or other files of their own, while they run.
  external: [...EXTERNAL, ...OPTIONAL_EXTERNAL],
  plugins: [zodApart],
  mainFields: ['module', 'main'],
  // What is CommonJS among the rest asks for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
  sourcemap: true,
  legalComments: 'inline',
  logLevel: 'warning',
  metafile: true,
});

// The same in one file, for commands that ask something and end: what V8 made of it is kept (lib/cli/kept-program.ts). It is an
// expression, a function as CommonJS has around its modules.
const { metafile: single } = await build({
  entryPoints: [join(dist, 'lib/cli/index.js')],
  outdir,
  entryNames: 'program-[hash]',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  // Of what runs services, imports and makes certificates, these commands have no need: it is read whole, however little is run.
  external: [
    ...[...EXTERNAL, ...OPTIONAL_EXTERNAL, '@modelcontextprotocol/*', '@opentelemetry/*'],
    ...['@readme/openapi-parser', '@peculiar/x509', 'reflect-metadata', 'undici', 'oauth4webapi', 'marked'],
  ],
  mainFields: ['module', 'main'],
  define: {
    'import.meta.url': 'importMetaUrl',
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
  },
  banner: {
    js: "(function (exports, require, module, __filename, __dirname) { 'use strict'; const importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: '})' },
  plugins: [
    {
      name: 'ws in the bundle, which elsewhere is loaded as the CommonJS that it is',
      setup(bundle) {
        const of = { filter: /[\\/]transport[\\/]ws\.js$/ };
        bundle.onLoad(of, () => ({ contents: "export { WebSocket, WebSocketServer } from 'ws';" }));
      },
    },
  ],
  legalComments: 'inline',
  logLevel: 'warning',
  metafile: true,
});

// Removed last, so that what runs from here while nothing was changed misses nothing.
const built = new Set(
  [metafile, single].flatMap(({ outputs }) => Object.keys(outputs)).map((path) => resolve(path)),
);
for (const name of readdirSync(outdir))
  if (!built.has(join(outdir, name))) rmSync(join(outdir, name), { recursive: true });

if (process.argv[2] === undefined) await import('./console.mjs');
