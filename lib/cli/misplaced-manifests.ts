import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Log } from '../core/index.js';
import { isManifestName } from '../registry/index.js';

/** Warns of a services directory that has no manifest while a directory in it has: the wrong one may have been named. */
export function warnOfMisplacedManifests(servicesDirs: readonly string[], log: Log): void {
  for (const dir of servicesDirs) {
    if (entriesOf(dir).some(({ name }) => isManifestName(name))) continue;
    const below = entriesOf(dir)
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(resolve(dir), name))
      .find((path) => entriesOf(path).some(({ name }) => isManifestName(name)));
    if (below !== undefined)
      log.warn(`The services directory ${resolve(dir)} has no manifests; ${below} has.`, {
        hint: `If those are meant: --services-dir ${below}`,
      });
  }
}

function entriesOf(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    // What cannot be read is reported where manifests are listed.
    return [];
  }
}
