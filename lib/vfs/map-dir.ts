import { FsError } from '../core/index.js';
import { ReadOnlyDir } from './bases.js';
import { newIno } from './ino.js';
import { dirStat, nsFromMs } from './stats.js';
import type { DirEntry, Freshness, Node, Op, Stat } from './types.js';

export interface MapDirOptions {
  readonly freshness?: Freshness;
  readonly timeNs?: (op: Op) => bigint;
  /** Entries that stand for another node from time to time; listed last. */
  readonly current?: ReadonlyMap<string, (op: Op) => Node>;
  /** Names that are answered though they are not listed. */
  readonly unlisted?: ReadonlyMap<string, Node>;
  /** Called before each look; throws what the session is to see when it may not. */
  readonly check?: (op: Op) => void;
}

/** A directory whose entries stand in a map, in the map's order. */
export class MapDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness;
  readonly #entries: ReadonlyMap<string, Node>;
  readonly #options: MapDirOptions;
  readonly #madeNs = nsFromMs(Date.now());

  constructor(entries: ReadonlyMap<string, Node>, options: MapDirOptions = {}) {
    super();
    this.#entries = entries;
    this.#options = options;
    this.freshness = options.freshness ?? 'announced';
  }

  stat(op: Op): Stat {
    this.#options.check?.(op);
    return dirStat(this.ino, this.#options.timeNs?.(op) ?? this.#madeNs);
  }

  lookup(name: string, op: Op): Node {
    this.#options.check?.(op);
    const { current, unlisted } = this.#options;
    const node = this.#entries.get(name) ?? current?.get(name)?.(op) ?? unlisted?.get(name);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  /** The inode number of an entry that always is there. */
  inoOf(name: string): bigint | undefined {
    return this.#entries.get(name)?.ino;
  }

  list(op: Op): readonly DirEntry[] {
    this.#options.check?.(op);
    const entries = [...this.#entries].map(([name, node]) => entryOf(name, node));
    for (const [name, nodeOf] of this.#options.current ?? []) entries.push(entryOf(name, nodeOf(op)));
    return entries;
  }
}

export function noSuchEntry(name: string): FsError {
  return new FsError('ENOENT', `There is no ${JSON.stringify(name)} here.`);
}

export function entryOf(name: string, node: Node): DirEntry {
  return { name, ino: node.ino, kind: node.kind, node };
}
