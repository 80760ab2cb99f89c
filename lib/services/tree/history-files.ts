import { documentFromJson } from '../../core/index.js';
import {
  descriptorAfter,
  diffOfChange,
  historyForAdmins,
  historyForUser,
  historyLines,
  type SeesVersion,
  type ServiceRecords,
  type ShownChange,
} from '../../manifest/index.js';
import {
  CheckedDocument,
  IndexDocument,
  ReadOnlyDir,
  StableSnapshots,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type Freshness,
  type Node,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';

/** Where the history of services is recorded. */
export interface HistorySource {
  /** What is recorded of a service; no changes where nothing is. */
  of(nodeId: string, serviceId: string): ServiceRecords;
}

export interface HistoryFilesOptions {
  /** @throws FsError ENOENT where the session may not know of the service */
  readonly check: (op: Op) => void;
  readonly records: () => ServiceRecords;
  /** Whether a session may see versions with these permissions. */
  readonly sees: (op: Op) => SeesVersion;
  readonly now: () => number;
}

/** `HISTORY.ndjson` and `history/` of a service: what it was, as each session may know of it. */
export function historyFiles(options: HistoryFilesOptions): [string, Node][] {
  const texts = new StableSnapshots();
  const lines = new IndexDocument<ShownChange>(
    {
      visible: (op) => shownTo(op, options),
      idOf: ({ recorded }) => String(recorded.revision),
      render: (shown, { session }) => {
        const changedAtMs = shown.at(-1)?.recorded.timestampMs ?? 0;
        return texts.snapshot(
          session,
          historyLines(shown, session.role === 'admin'),
          changedAtMs,
          options.now(),
        );
      },
    },
    { freshness: 'live' },
  );
  return [
    ['HISTORY.ndjson', lines],
    ['history', new HistoryDir(options)],
  ];
}

function shownTo(op: Op, { check, records, sees }: HistoryFilesOptions): ShownChange[] {
  check(op);
  return op.session.role === 'admin' ? historyForAdmins(records()) : historyForUser(records(), sees(op));
}

const NAME = /^([1-9]\d{0,15})\.(json|diff)$/;
type Kind = 'json' | 'diff';

class HistoryDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #options: HistoryFilesOptions;
  /** By revision and kind: a change has the same file, whatever number a session knows it by. */
  readonly #files = new Map<string, Node>();

  constructor(options: HistoryFilesOptions) {
    super();
    this.#options = options;
  }

  stat(op: Op): Stat {
    const shown = shownTo(op, this.#options);
    return dirStat(this.ino, nsFromMs(shown.at(-1)?.recorded.timestampMs ?? 0));
  }

  lookup(name: string, op: Op): Node {
    const [, digits, kind] = NAME.exec(name) ?? [];
    const n = Number(digits);
    const change = shownTo(op, this.#options).find((one) => one.n === n);
    if (change === undefined || !kindsOf(change).includes(kind as Kind)) throw noSuchEntry(name);
    return this.#file(change, kind as Kind);
  }

  list(op: Op): readonly DirEntry[] {
    const shown = shownTo(op, this.#options);
    this.#forgetAllBut(this.#options.records());
    return shown.flatMap((change) =>
      kindsOf(change).map((kind) => entryOf(`${change.n}.${kind}`, this.#file(change, kind))),
    );
  }

  #file({ recorded: { revision } }: ShownChange, kind: Kind): Node {
    const key = `${revision}.${kind}`;
    let file = this.#files.get(key);
    if (file === undefined) {
      const find = (op: Op): ShownChange => {
        const change = shownTo(op, this.#options).find(({ recorded }) => recorded.revision === revision);
        if (change === undefined) throw noSuchEntry(key);
        return change;
      };
      const render = (op: Op): Snapshot => {
        const records = this.#options.records();
        const change = find(op);
        const bytes =
          kind === 'json'
            ? documentFromJson(descriptorAfter(records, change) ?? {})
            : Buffer.from(diffOfChange(records, change));
        return { bytes, mtimeNs: nsFromMs(change.recorded.timestampMs) };
      };
      file = new CheckedDocument(render, (op) => void find(op), { freshness: 'live' });
      this.#files.set(key, file);
    }
    return file;
  }

  /** What is no longer recorded is let go of. */
  #forgetAllBut({ changes }: ServiceRecords): void {
    const kept = new Set(changes.flatMap(({ revision }) => [`${revision}.json`, `${revision}.diff`]));
    for (const key of this.#files.keys()) if (!kept.has(key)) this.#files.delete(key);
  }
}

function kindsOf({ version }: ShownChange): Kind[] {
  return version === null ? ['diff'] : ['json', 'diff'];
}
