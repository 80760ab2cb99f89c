import { dirname } from 'node:path';
import { eachOf } from '../core/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import { listManifests, type ManifestListing, type ManifestSources } from './list-manifests.js';
import { ManifestFile, type FileFacts } from './manifest-file.js';
import type { Candidate } from './resolve-claims.js';

/** Looks at this many files at a time. */
const PARALLEL_LOOKS = 64;

/** All manifest files there are, each with what it says and what it last gave. */
export class ManifestSet {
  readonly #sources: ManifestSources;
  listing: ManifestListing = { files: [], named: new Set(), folders: [], faults: [] };
  files: ReadonlyMap<string, ManifestFile> = new Map();
  /** How long until a file that is being changed may be quiet; null: none is. */
  waitingMs: number | null = null;

  constructor(sources: ManifestSources) {
    this.#sources = sources;
  }

  /** Looks at all files. True when one of them says something else than before. */
  async look(facts: FileFacts): Promise<boolean> {
    const listing = await listManifests(this.#sources, facts.trust);
    const files = new Map<string, ManifestFile>();
    for (const path of [...listing.files, ...this.files.keys()])
      files.set(path, this.files.get(path) ?? new ManifestFile(path));
    const unusable = new Set(listing.faults.map((fault) => fault.folder));
    let changed = false;
    let waitingMs: number | null = null;
    await eachOf([...files.values()], PARALLEL_LOOKS, async (file) => {
      if (unusable.has(dirname(file.path)) && !listing.named.has(file.path)) return;
      const look = await file.look(facts);
      if (look.type === 'wait') waitingMs = Math.min(waitingMs ?? Infinity, look.ms);
      if (look.type === 'changed') changed = true;
    });
    for (const [path, file] of files) if (file.gone && !listing.named.has(path)) files.delete(path);
    this.waitingMs = waitingMs;
    this.listing = listing;
    this.files = files;
    return changed;
  }

  /** What the built-ins and the files that are there and not disabled ask for, in the order that decides between rivals. */
  candidates(builtins: readonly ServiceDefinition[]): Candidate[] {
    const own = builtins.map((definition) => ({
      source: definition.source,
      wanted: definition,
      held: definition,
    }));
    const files = [...this.files.values()]
      .filter((file) => !file.gone && file.disabled === undefined)
      .map((file) => ({ source: file.path, wanted: file.reading?.definition, held: file.held }));
    return [...own, ...files];
  }
}
