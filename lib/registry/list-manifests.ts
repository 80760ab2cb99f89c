import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { FsError } from '../core/index.js';
import type { Distrust, TrustCheck } from '../drivers/index.js';

/** Where manifests come from. */
export interface ManifestSources {
  readonly manifestFiles: readonly string[];
  readonly servicesDirs: readonly string[];
}

/** A services directory that cannot be used at present; what it gave before stays. */
export interface FolderFault {
  readonly folder: string;
  readonly message: string;
  readonly hint: string;
}

export interface ManifestListing {
  /** Absolute paths in the order that decides between rivals: named files first, then folders by name. */
  readonly files: readonly string[];
  /** Files that were named one by one. */
  readonly named: ReadonlySet<string>;
  readonly folders: readonly string[];
  readonly faults: readonly FolderFault[];
}

/** What a services directory gives: `*.json`, without hidden files and without `*.schema.json`. */
export function isManifestName(name: string): boolean {
  return name.endsWith('.json') && !name.endsWith('.schema.json') && !name.startsWith('.');
}

/** Lists all manifest files there are now. A `trust` of null trusts everything. */
export async function listManifests(
  sources: ManifestSources,
  trust: TrustCheck | null,
): Promise<ManifestListing> {
  const named = new Set(sources.manifestFiles.map((file) => resolve(file)));
  const files = new Set(named);
  const folders = [...new Set(sources.servicesDirs.map((folder) => resolve(folder)))];
  const faults: FolderFault[] = [];
  for (const folder of folders) {
    try {
      const names = await readdir(folder);
      const distrust = trust === null ? null : trust.folder(folder);
      if (distrust !== null) {
        faults.push(folderFault(folder, distrust));
        continue;
      }
      for (const name of names.filter(isManifestName).sort()) files.add(join(folder, name));
    } catch (thrown) {
      const { code } = FsError.from(thrown);
      const message =
        code === 'ENOENT'
          ? `The services directory ${folder} does not exist`
          : `The services directory ${folder} cannot be read (${code})`;
      faults.push(
        folderFault(folder, { message, hint: `Make it (mkdir ${basename(folder)}), or correct the path.` }),
      );
    }
  }
  return { files: [...files], named, folders, faults };
}

function folderFault(folder: string, { message, hint }: Distrust): FolderFault {
  return { folder, message: `${message}.`, hint };
}
