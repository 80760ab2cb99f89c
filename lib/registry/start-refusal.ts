import { FsError } from '../core/index.js';
import { lineFromFault, type ManifestFault } from '../manifest/index.js';
import type { ManifestFile } from './manifest-file.js';
import type { ManifestSet } from './manifest-set.js';
import type { Refusal } from './resolve-claims.js';

/** A claim that another source holds, as a fault at the place of the manifest that makes it. */
export function faultFromRefusal(
  refusal: Refusal,
  { path: file, reading }: Pick<ManifestFile, 'path' | 'reading'>,
): ManifestFault {
  const place = reading?.place(`/${refusal.claim}`) ?? { line: 1, column: 1, pointer: '' };
  return {
    ...place,
    file,
    message: `${refusal.message}: it comes from ${refusal.against}.`,
    expected: refusal.claim === 'service_id' ? 'a service_id of its own' : 'a path of its own',
    got: `that of ${refusal.against}`,
    hint: `Change ${refusal.claim} here or in ${refusal.against}.`,
  };
}

/**
 * Refuses what no node should start with: two sources of one service or root, a services directory or a
 * manifest named by the user that cannot be used.
 * @throws FsError EEXIST or EINVAL, with everything that is wrong.
 */
export function refuseStart(manifests: ManifestSet): void {
  const lines = manifests.listing.faults.map(({ message, hint }) => `${message} ${hint}`);
  let rivalry = false;
  for (const file of manifests.files.values()) {
    const named = manifests.listing.named.has(file.path);
    if (named && file.gone) lines.push(`The manifest ${file.path} does not exist. Correct the path.`);
    if (file.refusal !== undefined) rivalry = true;
    const faults = named ? file.faults : file.refusal === undefined ? [] : [file.refusal];
    for (const fault of faults) lines.push(`${lineFromFault(fault)} ${fault.hint}`.trimEnd());
  }
  if (lines.length === 0) return;
  throw new FsError(rivalry ? 'EEXIST' : 'EINVAL', lines.join('\n'), {
    hint: 'Mend this and start again; "acheron validate FILE…" checks manifests without starting.',
  });
}
