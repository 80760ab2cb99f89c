import type { AuditEntry, ControlStore } from '../control/index.js';
import { documentFromJson, lineFromJson, timestamp, type LogLevelControl } from '../core/index.js';
import { logLevelFile } from '../services/index.js';
import {
  Document,
  MapDir,
  NumberedDir,
  ReadOnlyDir,
  StableSnapshot,
  StreamFile,
  dirStat,
  entryOf,
  fileStat,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type DirNode,
  type Freshness,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';
import { requireAdmin } from './admin-check.js';
import { pairingDir } from './pairing-dir.js';

export interface ControlDirOptions {
  /** Brings the store up to date with what is known in this process. */
  readonly flush: () => void;
  /** Whether nodes may pair, by `pairing/`. */
  readonly takesNodes: boolean;
  /** `plan.json` and `metrics` of a node, which it answers itself. */
  readonly fileOf: (nodeId: string, name: 'plan.json' | 'metrics') => Node;
  /** How much the process logs; absent where nobody changes it. */
  readonly logLevel: LogLevelControl | undefined;
}

/** `/control/`: what is for admins alone. */
export function controlDir(
  store: ControlStore,
  { flush, takesNodes, fileOf, logLevel }: ControlDirOptions,
): DirNode {
  const audit = new AuditStream(store, flush);
  return new MapDir(
    new Map<string, Node>([
      ...(takesNodes ? [['pairing', pairingDir(store)] as const] : []),
      ['nodes', new NodeReloadsDir(store, fileOf)],
      ...(logLevel === undefined ? [] : [['log_level.json', logLevelNode(store, logLevel)] as const]),
    ]),
    { check: requireAdmin, current: new Map([['audit.ndjson', (op) => audit.file(op)]]) },
  );
}

function logLevelNode(store: ControlStore, level: LogLevelControl): Node {
  return logLevelFile({
    level,
    check: requireAdmin,
    record: ({ session }, wanted) =>
      store.change(() => {
        const who = { session_id: session.id, role: session.role, agent_id: session.agentId };
        store.audit.record({ act: 'log_level', outcome: 'ok', ...who, target: { level: wanted } });
      }),
  });
}

/** `/control/nodes/<id>/`: what each node says of its manifests, and what it would make of others. */
class NodeReloadsDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #store: ControlStore;
  readonly #fileOf: ControlDirOptions['fileOf'];
  readonly #dirs = new Map<string, DirNode>();
  readonly #madeNs: bigint;

  constructor(store: ControlStore, fileOf: ControlDirOptions['fileOf']) {
    super();
    this.#store = store;
    this.#fileOf = fileOf;
    this.#madeNs = nsFromMs(store.clock.now());
  }

  stat(op: Op): Stat {
    requireAdmin(op);
    return dirStat(this.ino, this.#madeNs);
  }

  lookup(name: string, op: Op): Node {
    requireAdmin(op);
    if (this.#store.nodes.get(name) === undefined) throw noSuchEntry(name);
    return this.#dir(name);
  }

  list(op: Op): readonly DirEntry[] {
    requireAdmin(op);
    return this.#store.nodes.list().map(({ nodeId }) => entryOf(nodeId, this.#dir(nodeId)));
  }

  #dir(nodeId: string): DirNode {
    let dir = this.#dirs.get(nodeId);
    if (dir === undefined) {
      const text = new StableSnapshot();
      const reload = new Document(
        (op) => {
          requireAdmin(op);
          const { nodes, clock } = this.#store;
          return text.snapshot(documentFromJson(nodes.require(nodeId).reload ?? {}), clock.now());
        },
        { freshness: 'live', mode: 0o400 },
      );
      const entries = new Map<string, Node>([
        ['reload.json', reload],
        ['reloads', this.#reloads(nodeId)],
        ['plan.json', this.#fileOf(nodeId, 'plan.json')],
        ['metrics', this.#fileOf(nodeId, 'metrics')],
      ]);
      dir = new MapDir(entries, { check: requireAdmin });
      this.#dirs.set(nodeId, dir);
    }
    return dir;
  }

  #reloads(nodeId: string): DirNode {
    const { reloads } = this.#store;
    const render = (n: number): Buffer | undefined => {
      const kept = reloads.get(nodeId, n);
      if (kept === undefined) return undefined;
      const { report_id: _id, ...report } = kept.report;
      return documentFromJson({ node_id: nodeId, n, ...report });
    };
    return new NumberedDir({ numbers: () => reloads.numbers(nodeId), render }, requireAdmin, 0o400);
  }
}

/** How many records are shown at least, once there are so many; at twice as many the file is rotated. */
const KEPT = 4096;

/** `/control/audit.ndjson`: the newest acts; `acheron audit` has them all. */
class AuditStream {
  readonly #store: ControlStore;
  readonly #flush: () => void;
  #file: StreamFile | null = null;
  #text = Buffer.alloc(0);
  #records = 0;
  #lastId = 0;
  #changedAtMs: number;

  constructor(store: ControlStore, flush: () => void) {
    this.#store = store;
    this.#flush = flush;
    this.#changedAtMs = store.clock.now();
  }

  file(op: Op): Node {
    requireAdmin(op);
    if (this.#file === null || this.#records > 2 * KEPT) {
      this.#text = Buffer.alloc(0);
      this.#records = 0;
      this.#append(this.#store.audit.tail(KEPT));
      const ino = newIno();
      this.#file = new StreamFile(
        ino,
        (op) => {
          requireAdmin(op);
          this.#refresh();
          const text = this.#text;
          return { size: text.length, read: (at, size) => text.subarray(at, at + size) };
        },
        (size) => fileStat(ino, nsFromMs(this.#changedAtMs), 0o400, size),
      );
    }
    return this.#file;
  }

  #refresh(): void {
    this.#flush();
    for (;;) {
      const fresh = this.#store.audit.tail(KEPT, this.#lastId);
      if (fresh.length === 0) return;
      this.#append(fresh);
    }
  }

  #append(entries: readonly AuditEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#lastId = last.audit_id;
    this.#records += entries.length;
    this.#changedAtMs = last.timestamp_ms;
    this.#text = Buffer.concat([this.#text, Buffer.from(entries.map(lineOf).join(''))]);
  }
}

function lineOf({ audit_id, timestamp_ms, ...record }: AuditEntry): string {
  return lineFromJson({ audit_id, at: timestamp(timestamp_ms), ...record });
}
