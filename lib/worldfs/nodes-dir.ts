import { documentFromJson, type Emitter, type JsonObject } from '../core/index.js';
import type { Action, Session } from '../policy/index.js';
import {
  IndexDocument,
  ReadOnlyDir,
  StableSnapshots,
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

import { indexTsv, type IndexedService } from './index-tsv.js';

/** A node that the world shows. */
export interface NodeEntry {
  readonly nodeId: string;
  readonly root: DirNode;
  /** Its line in NODES.json. */
  readonly summary: JsonObject;
  /** The entries of its SERVICES.json that the session may see. */
  services(op: Op): readonly IndexedService[];
}

/** Where the world's nodes come from: this machine alone, or a control plane. */
export interface NodeSource {
  readonly changes: Emitter<Change>;
  /** The nodes that the session may see, in the order of their ids. */
  visible(op: Op): readonly NodeEntry[];
  /** What the session may do with what it sees. */
  actionsOf(session: Session): readonly Action[];
  /** One of them, where it is known without listing all. */
  find?(nodeId: string, op: Op): NodeEntry | undefined;
  /** The ids of nodes that some session may see anew, or no longer, or that another directory shows from now on. */
  readonly appearances?: Emitter<string>;
}

/** `/nodes/`. */
export class NodesDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #source: () => NodeSource;
  readonly #files: ReadonlyMap<string, Node>;
  readonly #startedAtMs: number;

  constructor(source: () => NodeSource, now: () => number) {
    super();
    this.#source = source;
    this.#startedAtMs = now();
    const [nodesText, servicesText] = [new StableSnapshots(), new StableSnapshots()];
    const startedAtMs = this.#startedAtMs;
    this.#files = new Map<string, Node>([
      [
        'INDEX.tsv',
        new IndexDocument(
          {
            visible: (op) =>
              source()
                .visible(op)
                .flatMap((node) => node.services(op)),
            idOf: ({ service_path: path }) => path,
            render: (services, { session }) =>
              servicesText.snapshot(session, indexTsv(services), startedAtMs, now()),
          },
          { freshness: 'live' },
        ),
      ],
      [
        'NODES.json',
        new IndexDocument(
          {
            visible: (op) => source().visible(op),
            idOf: ({ nodeId }) => nodeId,
            render: (nodes, { session }) =>
              nodesText.snapshot(
                session,
                documentFromJson(nodes.map(({ summary }) => summary)),
                startedAtMs,
                now(),
              ),
          },
          { freshness: 'live' },
        ),
      ],
    ]);
  }

  stat(): Stat {
    return dirStat(this.ino, nsFromMs(this.#startedAtMs), 0o555, 3);
  }

  lookup(name: string, op: Op): Node {
    const file = this.#files.get(name);
    if (file !== undefined) return file;
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
      ...[...this.#files].map(([name, node]) => entryOf(name, node)),
    ];
  }
}
