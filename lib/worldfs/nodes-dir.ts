import { documentFromJson, type Emitter, type JsonObject } from '../core/index.js';
import {
  IndexDocument,
  ReadOnlyDir,
  RenderedText,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type Change,
  type DirEntry,
  type DirNode,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';

/** A node that the world shows. */
export interface NodeEntry {
  readonly nodeId: string;
  readonly root: DirNode;
  /** Its line in NODES.json. */
  readonly summary: JsonObject;
}

/** Where the world's nodes come from: this machine alone, or a control plane. */
export interface NodeSource {
  readonly changes: Emitter<Change>;
  /** The nodes that the session may see, in the order of their ids. */
  visible(op: Op): readonly NodeEntry[];
  /** One of them, where it can be told without looking at all. */
  find?(nodeId: string, op: Op): NodeEntry | undefined;
  /** The ids of nodes that some session may see anew, or no longer, or that another directory shows from now on. */
  readonly appearances?: Emitter<string>;
}

/** `/nodes/`. */
export class NodesDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #source: () => NodeSource;
  readonly #index: Node;
  readonly #startedAtMs: number;

  constructor(source: () => NodeSource, now: () => number) {
    super();
    this.#source = source;
    this.#startedAtMs = now();
    const text = new RenderedText();
    this.#index = new IndexDocument(
      {
        visible: (op) => source().visible(op),
        idOf: ({ nodeId }) => nodeId,
        render: (nodes) => text.snapshot(documentFromJson(nodes.map(({ summary }) => summary)), now()),
      },
      { freshness: 'live' },
    );
  }

  stat(): Stat {
    return dirStat(this.ino, nsFromMs(this.#startedAtMs), 0o555, 3);
  }

  lookup(name: string, op: Op): Node {
    if (name === 'NODES.json') return this.#index;
    const source = this.#source();
    const entry =
      source.find === undefined
        ? source.visible(op).find(({ nodeId }) => nodeId === name)
        : source.find(name, op);
    if (entry === undefined) throw noSuchEntry(name);
    return entry.root;
  }

  list(op: Op): readonly DirEntry[] {
    return [
      ...this.#source()
        .visible(op)
        .map(({ nodeId, root }) => entryOf(nodeId, root)),
      entryOf('NODES.json', this.#index),
    ];
  }
}
