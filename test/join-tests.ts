// Joins each test file with what it loads. Loading a few hundred modules takes as long as most tests do, and each
// file is a process of its own: joined, with what they share in files of its own, they load in a third of the time.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** They choose native code or other files of their own while they run, or are large and rarely loaded. */
const AS_THEY_ARE = [
  ...['bufferutil', 'fuse-native', 'koffi', 'libsql', 'prom-client'],
  ...['esbuild', 'playwright-core', 'react-element-to-jsx-string', 'typescript', 'vite'],
];

/** Where a module was is what it says of itself, as if it were still there: it finds what lies beside it. */
const whereItWas: Plugin = {
  name: 'where it was',
  setup(joining) {
    joining.onLoad({ filter: /\.m?js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta')) return undefined;
      const said = {
        moduleDirname: dirname(path),
        moduleFilename: path,
        moduleUrl: pathToFileURL(path).href,
      };
      const constants = Object.entries(said).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
      return { contents: `const ${constants.join(', ')};${text}`, loader: 'js' };
    });
  },
};

/** Joins compiled tests of `root`/`tests` into `outdir`. Answers where each is now, by its path from `root`. */
export async function joinTests(
  files: readonly string[],
  { root, tests, outdir }: { readonly root: string; readonly tests: string; readonly outdir: string },
): Promise<ReadonlyMap<string, string>> {
  await build({
    absWorkingDir: root,
    entryPoints: [...files],
    outdir,
    outbase: tests,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    external: AS_THEY_ARE,
    define: {
      'import.meta.dirname': 'moduleDirname',
      'import.meta.filename': 'moduleFilename',
      'import.meta.url': 'moduleUrl',
    },
    // What is CommonJS among them asks for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
    plugins: [whereItWas],
    logLevel: 'error',
  });
  return new Map(files.map((file) => [file, join(outdir, relative(tests, file))]));
}
