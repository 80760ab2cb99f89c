import { join } from 'node:path';
import { build } from 'esbuild';

const SOURCE = join(import.meta.dirname, '../../../console/src');

/** A module of the console's source that needs no page, as its build makes it. `path` is below `console/src`. */
export async function consoleModule<Exports>(path: string): Promise<Exports> {
  const { outputFiles } = await build({
    entryPoints: [join(SOURCE, path)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
  });
  const text = Buffer.from(outputFiles[0]!.contents).toString('base64');
  return (await import(`data:text/javascript;base64,${text}`)) as Exports;
}
