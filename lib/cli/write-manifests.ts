import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FsError, type JsonObject } from '../core/index.js';
import { makeDirs } from '../linux/index.js';
import { replaceFile } from '../disk/index.js';
import { lineFromFault, readManifest } from '../manifest/index.js';

/**
 * Writes manifests, each to a file of its service's name, once all are known to be right; answers the paths.
 * Writable by their owner alone, whatever the umask: a node takes nothing that others may write to.
 * @throws FsError EINVAL for a manifest with faults, EEXIST where a file is there already and `force` is false
 */
export function writeManifests(
  folder: string,
  manifests: readonly JsonObject[],
  { force = false }: { readonly force?: boolean } = {},
): string[] {
  const files = manifests.map((manifest) => ({
    path: join(folder, `${manifest['service_id'] as string}.json`),
    text: `${JSON.stringify(manifest, null, 2)}\n`,
  }));
  for (const { path, text } of files) {
    const { faults } = readManifest(text, { file: path, nodeId: 'local' });
    const [first] = faults;
    if (first !== undefined)
      throw new FsError(
        'EINVAL',
        `${lineFromFault(first)} Nothing was written.`,
        first.hint === '' ? {} : { hint: first.hint },
      );
    if (!force && statSync(path, { throwIfNoEntry: false }) !== undefined)
      throw new FsError('EEXIST', `${path} exists already. Nothing was written.`, {
        hint: 'Write over it with --force, or choose another name or folder.',
        path,
      });
  }
  try {
    makeDirs(folder, 0o755);
    for (const { path, text } of files) {
      replaceFile(path, Buffer.from(text));
      chmodSync(path, 0o644);
    }
  } catch (thrown) {
    throw FsError.from(thrown);
  }
  return files.map(({ path }) => path);
}
