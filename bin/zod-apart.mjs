import { readFileSync } from 'node:fs';

const APART = '?mcp';

/**
 * For esbuild: the SDK of MCP gets a zod of its own. It uses all of it, with the texts of fifty languages; joined with the quarter that the
 * rest uses, every start would load the whole.
 */
export const zodApart = {
  name: 'zod apart',
  setup(bundle) {
    bundle.onResolve(
      { filter: /^(zod(\/|$)|\.)/ },
      async ({ path, importer, kind, resolveDir, pluginData }) => {
        const isSdks = path.startsWith('zod') && /[\\/]@modelcontextprotocol[\\/]/.test(importer);
        if (pluginData === 'resolved' || (!isSdks && pluginData !== APART)) return undefined;
        const found = await bundle.resolve(path, { importer, kind, resolveDir, pluginData: 'resolved' });
        return { ...found, suffix: APART, pluginData: APART };
      },
    );
    bundle.onLoad({ filter: /[\\/]zod[\\/]/ }, ({ path, suffix }) =>
      suffix === APART ? { contents: readFileSync(path), loader: 'js', pluginData: APART } : undefined,
    );
  },
};
