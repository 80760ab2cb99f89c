import { Emitter, documentFromJson, type JsonObject, type Unsubscribe } from '../core/index.js';
import type { Action, Session } from '../policy/index.js';
import {
  Document,
  ReadOnlyDir,
  StableSnapshot,
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
  type Snapshot,
  type Stat,
  type Vfs,
} from '../vfs/index.js';
import { AGENTS, README } from './guides.js';
import type { EventSource } from './event-feed.js';
import { NodesDir, type NodeSource } from './nodes-dir.js';

export interface WorldOptions {
  readonly nodes: NodeSource;
  readonly events: EventSource;
  readonly now: () => number;
  /** `/projects`; absent where there is no control plane. */
  readonly projects?: DirNode;
  /** False where no node has exports, nor will have. */
  readonly extendedAttributes?: boolean;
  /** `/control`, shown to admin sessions alone. */
  readonly control?: DirNode;
}

/** The tree that a mount shows at `/`: one session's view of all nodes. */
export class World implements Vfs {
  readonly root: DirNode;
  readonly extendedAttributes: boolean;
  readonly changes = new Emitter<Change>();
  readonly #nodes: NodesDir;
  #shown: WorldOptions;
  #stopListening: Unsubscribe[] = [];

  constructor(options: WorldOptions) {
    this.#shown = options;
    this.extendedAttributes = options.extendedAttributes ?? true;
    this.#nodes = new NodesDir(() => this.#shown.nodes, options.now);
    this.root = new WorldRoot(() => this.#shown, this.#nodes);
    this.#listen();
  }

  /** Shows this from now on: the same node among others, once there is a control plane. */
  show(options: WorldOptions): void {
    for (const stop of this.#stopListening) stop();
    this.#shown = options;
    this.#listen();
    this.changes.emit({ what: 'all' });
  }

  #listen(): void {
    const { appearances, changes } = this.#shown.nodes;
    const { ino } = this.#nodes;
    const pass = (change: Change): void => this.changes.emit(change);
    this.#stopListening = [changes.on(pass), this.#shown.events.changes.on(pass)];
    if (appearances !== undefined)
      this.#stopListening.push(appearances.on((name) => this.changes.emit({ what: 'entry', ino, name })));
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }
}

class WorldRoot extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #shown: () => WorldOptions;
  readonly #startedAtMs: number;
  readonly #files: ReadonlyMap<string, Node>;

  constructor(shown: () => WorldOptions, nodes: NodesDir) {
    super();
    this.#shown = shown;
    this.#startedAtMs = shown().now();
    this.#files = new Map<string, Node>([
      ['README.md', this.#document(() => Buffer.from(README))],
      ['AGENTS.md', this.#document(() => Buffer.from(AGENTS))],
      ['session.json', this.#sessionDocument()],
      ['nodes', nodes],
    ]);
  }

  stat(): Stat {
    return dirStat(this.ino, nsFromMs(this.#startedAtMs), 0o555, 3);
  }

  lookup(name: string, op: Op): Node {
    const node =
      name === 'events.ndjson'
        ? this.#shown().events.fileFor(op.session)
        : (this.#files.get(name) ?? this.#optional(op).get(name));
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    const events = this.#shown().events.fileFor(op.session);
    const entries = [...this.#files, ['events.ndjson', events] as const, ...this.#optional(op)];
    return entries.map(([name, node]) => entryOf(name, node));
  }

  #optional(op: Op): Map<string, DirNode> {
    const { projects, control } = this.#shown();
    const nodes = new Map<string, DirNode>();
    if (projects !== undefined) nodes.set('projects', projects);
    if (control !== undefined && op.session.role === 'admin' && !op.session.revoked)
      nodes.set('control', control);
    return nodes;
  }

  #document(render: () => Buffer): Document {
    const text = new StableSnapshot();
    return new Document(() => text.snapshot(render(), this.#startedAtMs));
  }

  #sessionDocument(): Document {
    const texts = new StableSnapshots();
    const render = ({ session }: Op): Snapshot => {
      const { nodes, now } = this.#shown();
      const bytes = documentFromJson(describeSession(session, nodes.actionsOf(session)));
      return texts.snapshot(session, bytes, this.#startedAtMs, now());
    };
    return new Document(render, { freshness: 'live' });
  }
}

/** session.json: who the session is and what it may do; no secret. */
function describeSession(session: Session, may: readonly Action[]): JsonObject {
  return {
    session_id: session.id,
    role: session.role,
    agent_id: session.agentId,
    project_id: session.project?.id ?? null,
    project_verified: session.project?.verified ?? false,
    revoked: session.revoked,
    may,
  };
}
