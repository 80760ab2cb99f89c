import { FsError } from '../core/index.js';
import { ReadOnlyDir } from './bases.js';
import { CheckedDocument } from './checked-document.js';
import { newIno } from './ino.js';
import { entryOf, noSuchEntry } from './map-dir.js';
import { dirStat, nsFromMs } from './stats.js';
import { LiveSymlink } from './symlink.js';
import type { DirEntry, Freshness, Node, Op, Stat } from './types.js';

/** Documents that have numbers and never change, of which the oldest go. */
export interface NumberedDocuments {
  /** Oldest first. */
  numbers(): readonly { readonly n: number; readonly timestampMs: number }[];
  /** Undefined where there is none any more. */
  render(n: number): Uint8Array | undefined;
}

const NAME = /^([1-9]\d{0,15})\.json$/;
const LATEST = 'latest';

/** A directory of `<n>.json`, and `latest`, a link to the newest. */
export class NumberedDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #documents: NumberedDocuments;
  readonly #check: (op: Op) => void;
  readonly #mode: number;
  readonly #files = new Map<number, Node>();
  readonly #latest: LiveSymlink;

  /** `check` throws what who may not look is to see. */
  constructor(documents: NumberedDocuments, check: (op: Op) => void, mode = 0o444) {
    super();
    this.#documents = documents;
    this.#check = check;
    this.#mode = mode;
    this.#latest = new LiveSymlink((op) => {
      check(op);
      const newest = documents.numbers().at(-1);
      if (newest === undefined) throw new FsError('ENOENT', 'There is none yet.');
      return { target: `${newest.n}.json`, timeNs: nsFromMs(newest.timestampMs) };
    });
  }

  stat(op: Op): Stat {
    this.#check(op);
    return dirStat(this.ino, nsFromMs(this.#documents.numbers().at(-1)?.timestampMs ?? 0));
  }

  lookup(name: string, op: Op): Node {
    this.#check(op);
    if (name === LATEST) {
      this.#latest.stat(op);
      return this.#latest;
    }
    const n = Number(NAME.exec(name)?.[1]);
    const found = this.#documents.numbers().find((one) => one.n === n);
    if (found === undefined) throw noSuchEntry(name);
    return this.#file(found);
  }

  list(op: Op): readonly DirEntry[] {
    this.#check(op);
    const numbers = this.#documents.numbers();
    const kept = new Set(numbers.map(({ n }) => n));
    for (const n of this.#files.keys()) if (!kept.has(n)) this.#files.delete(n);
    const entries = numbers.map((one) => entryOf(`${one.n}.json`, this.#file(one)));
    return entries.length === 0 ? [] : [...entries, entryOf(LATEST, this.#latest)];
  }

  #file({ n, timestampMs }: { readonly n: number; readonly timestampMs: number }): Node {
    let file = this.#files.get(n);
    if (file === undefined) {
      const render = (): { bytes: Uint8Array; mtimeNs: bigint } => {
        const bytes = this.#documents.render(n);
        if (bytes === undefined) throw noSuchEntry(`${n}.json`);
        return { bytes, mtimeNs: nsFromMs(timestampMs) };
      };
      file = new CheckedDocument(render, this.#check, { freshness: 'live', mode: this.#mode });
      this.#files.set(n, file);
    }
    return file;
  }
}
