import { watch } from 'chokidar';
import { basename, dirname } from 'node:path';
import { isManifestName, type ManifestListing } from './list-manifests.js';

export interface ManifestWatch {
  close(): Promise<void>;
}

/** Kubernetes puts mounted files behind this link, and changes them all by replacing it. */
const DATA_LINK = '..data';

/**
 * Calls `poke` when a manifest may have changed. Folders are watched, also for files that were named, since
 * editors put a new file in the place of the old one.
 */
export function watchManifests(
  listing: Pick<ManifestListing, 'named' | 'folders'>,
  listener: { poke: () => void; failed: (error: Error) => void },
): ManifestWatch {
  const folders = new Set(listing.folders);
  const roots = new Set([...folders, ...[...listing.named].map((file) => dirname(file))]);
  const names = new Set([...listing.named].map((file) => basename(file)));
  const isOurs = (path: string): boolean =>
    listing.named.has(path) || (folders.has(dirname(path)) && isManifestName(basename(path)));
  const watcher = watch([...roots], {
    ignoreInitial: true,
    depth: 0,
    atomic: false,
    ignored: (path, stats) => !roots.has(path) && stats !== undefined && !(stats.isFile() && isOurs(path)),
  });
  watcher.on('all', listener.poke);
  // chokidar keeps a second change within 50 ms to itself; what the kernel says comes through "raw".
  watcher.on('raw', (_event, path) => {
    const name = basename(path);
    if (isManifestName(name) || names.has(name) || name === DATA_LINK) listener.poke();
  });
  watcher.on('ready', listener.poke);
  watcher.on('error', (error) => listener.failed(error instanceof Error ? error : new Error(String(error))));
  return { close: () => watcher.close() };
}
