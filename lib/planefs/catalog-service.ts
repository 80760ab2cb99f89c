import type { CatalogService } from '../control/index.js';
import { documentFromJson, type FsError, type JsonObject } from '../core/index.js';
import {
  ALIASES,
  CONTROLS,
  DESCRIPTOR_FILES,
  LIVE_FILES,
  isInvocable,
  typeFromDescriptor,
  type PublishedService,
} from '../manifest/index.js';
import type { Action, Session } from '../policy/index.js';
import { historyFiles, type HistoryFilesOptions } from '../services/index.js';
import {
  CheckedDocument,
  Document,
  MapDir,
  ReadOnlyDir,
  StableSnapshot,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type FileNode,
  type Node,
  type Op,
  type Snapshot,
  type Stat,
} from '../vfs/index.js';
import type { CatalogRecord, Presence } from './catalog.js';
import { AwayDir, AwayFile, offlineError, type FindAway } from './away.js';
import { FallbackDir, FallbackFile, type FindAtNode } from './fallback-nodes.js';

/** A service of a catalog, as one session may see it. */
export interface KnownService {
  readonly record: CatalogRecord;
  readonly service: CatalogService;
  readonly may: (action: Action) => boolean;
}

export interface CatalogServiceOptions {
  /** @throws FsError ENOENT where the session may not know of the service. */
  readonly find: (session: Session) => KnownService;
  readonly isSeenBy: (session: Session) => boolean;
  /** Whether the node can be asked, and since when that is so or not. */
  readonly presence: () => Presence;
  readonly outage?: (() => FsError) | undefined;
  /** How what these names lead to, from the service's directory, is found at the node. */
  readonly atNode: (...names: readonly string[]) => FindAtNode;
  /** Undefined where it is not known what the service was. */
  readonly history: HistoryFilesOptions | undefined;
}

/**
 * The directory of a service at another machine. What its descriptor says is read here, without asking the
 * machine; what is live is asked of it while it is connected.
 */
export class CatalogServiceDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #options: CatalogServiceOptions;
  #made: Made | undefined;

  constructor(options: CatalogServiceOptions) {
    super();
    this.#options = options;
  }

  isSeenBy({ session }: Op): boolean {
    return this.#options.isSeenBy(session);
  }

  stat(op: Op): Stat {
    const isCallable = this.#isCallable(op);
    return dirStat(this.ino, timeOf(this.#options.find(op.session)), 0o555, isCallable ? 6 : 4);
  }

  lookup(name: string, op: Op): Node {
    const isCallable = this.#isCallable(op);
    const { files, running } = this.#files();
    const node = files.get(ALIASES.get(name) ?? name) ?? (isCallable ? running.get(name) : undefined);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    const isCallable = this.#isCallable(op);
    const { files, running } = this.#files();
    const shown = isCallable ? [...files, ...running] : [...files];
    return shown.map(([name, node]) => entryOf(name, node));
  }

  /** The inode number that is shown for what `names` lead to at the node. */
  inoAt([first, second]: readonly string[]): bigint | undefined {
    if (first === undefined) return this.ino;
    const { files, running, control } = this.#files();
    if (second !== undefined) return first === 'control' ? control.inoOf(second) : undefined;
    return (files.get(first) ?? running.get(first))?.ino;
  }

  /** The inode number that somebody may have seen of the file that shows its state beside what it is. */
  get stateIno(): bigint | undefined {
    return this.#made?.files.get(STATE_FILE)?.ino;
  }

  #isCallable(op: Op): boolean {
    return isInvocable(this.#options.find(op.session).service.descriptor);
  }

  #files(): Made {
    return (this.#made ??= filesOf(this.#options));
  }
}

interface Made {
  readonly files: ReadonlyMap<string, Node>;
  /** What is there only where there is something to run. */
  readonly running: ReadonlyMap<string, Node>;
  readonly control: MapDir;
}

/** The descriptor with the state of the service: the one file that changes as its node goes and returns. */
const STATE_FILE = 'SERVICE.json';

function filesOf({ find, atNode, presence, outage, history }: CatalogServiceOptions): Made {
  const away =
    (modeOf: (known: KnownService) => number, form?: (known: KnownService) => Uint8Array): FindAway =>
    (op) => {
      const known = find(op.session);
      return {
        mode: modeOf(known),
        timeNs: timeOf(known),
        error: outage?.() ?? offlineError(known.record.nodeId),
        ...(form === undefined ? {} : { form: form(known) }),
      };
    };
  const check = (op: Op): void => void find(op.session);
  const stateOf = (render: (known: KnownService) => Buffer): FileNode => {
    const text = new StableSnapshot();
    return new Document(
      ({ session }) => {
        const known = find(session);
        return text.snapshot(render(known), known.record.lastSeenMs);
      },
      { freshness: 'live' },
    );
  };
  const inPlace = new Map<string, FileNode>([
    ['status.json', stateOf((known) => documentFromJson({ ...OFFLINE_STATUS, ...identityOf(known) }))],
    ['health.json', stateOf((known) => documentFromJson({ state: 'offline', ...identityOf(known) }))],
    ['last_error.txt', stateOf(({ record }) => Buffer.from(awayText(record.nodeId)))],
  ]);
  const files = new Map<string, Node>();
  for (const [name, render] of DESCRIPTOR_FILES)
    files.set(
      name,
      new CheckedDocument(rendered(find, render, name === STATE_FILE ? presence : undefined), check),
    );
  for (const name of LIVE_FILES) {
    const said = outage === undefined ? inPlace.get(name) : undefined;
    files.set(name, new FallbackFile(atNode(name), said ?? new AwayFile(away(() => 0o444))));
  }
  const config = new AwayFile(away(({ may }) => (may('control') ? 0o600 : 0)));
  files.set('config.json', new FallbackFile(atNode('config.json'), config, true));
  files.set('jobs', new FallbackDir(atNode('jobs'), new AwayDir(away(() => 0o755))));
  const entries: [string, Node][] =
    history === undefined
      ? [
          ['HISTORY.ndjson', new AwayFile(away(() => 0o444))],
          ['history', new AwayDir(away(() => 0o555))],
        ]
      : historyFiles(history);
  for (const [name, node] of entries) files.set(name, node);
  const controls = CONTROLS.map((name): [string, Node] => {
    const action = CONTROLLING.has(name) ? 'control' : 'invoke';
    const form = FORMS.has(name) ? templateOf : undefined;
    const file = new AwayFile(away(({ may }) => (may(action) ? 0o644 : 0o444), form));
    return [name, new FallbackFile(atNode('control', name), file, true)];
  });
  const control = new MapDir(new Map(controls), { check, timeNs: ({ session }) => timeOf(find(session)) });
  const calls = new AwayDir(away(({ may }) => (may('invoke') ? 0o755 : 0o555)));
  const running = new Map<string, Node>([
    ['calls', new FallbackDir(atNode('calls'), calls)],
    ['control', control],
  ]);
  return { files, running, control };
}

const CONTROLLING = new Set(['enable', 'disable', 'restart']);
const FORMS = new Set(['invoke.json', 'submit.json']);

function templateOf({ service }: KnownService): Uint8Array {
  return documentFromJson(service.descriptor['invoke_template'] ?? {});
}

export function publishedFrom({ record, service }: Omit<KnownService, 'may'>): PublishedService {
  const { nodeId, nodeName, platform } = record;
  return {
    node: { id: nodeId, name: nodeName, platform },
    serviceId: service.serviceId,
    descriptor: service.descriptor,
  };
}

/** The same bytes for every session, rendered when the catalog has another descriptor. */
function rendered(
  find: CatalogServiceOptions['find'],
  render: (service: PublishedService) => Buffer,
  presence: (() => Presence) | undefined,
): (op: Op) => Snapshot {
  const text = new StableSnapshot();
  let last: { readonly of: CatalogService; readonly name: string; readonly snapshot: Snapshot } | undefined;
  return ({ session }) => {
    const known = find(session);
    const { isHere, sinceMs } = presence?.() ?? { isHere: true, sinceMs: 0 };
    const name = JSON.stringify([known.record.nodeName, known.record.platform, isHere]);
    if (last?.of !== known.service || last.name !== name) {
      const published = publishedFrom(known);
      const snapshot = text.snapshot(
        render(
          isHere ? published : { ...published, descriptor: { ...published.descriptor, state: 'offline' } },
        ),
        Math.max(changedAtMs(known), sinceMs),
      );
      last = { of: known.service, name, snapshot };
    }
    return last.snapshot;
  };
}

/** Times that a node says may be any number. */
const LAST_TIME_MS = 4e12;

function changedAtMs({ record, service }: KnownService): number {
  const said = service.descriptor['updated_at_ms'];
  return typeof said === 'number' && said >= 0 && said <= LAST_TIME_MS ? said : record.joinedAtMs;
}

function timeOf(known: KnownService): bigint {
  return nsFromMs(changedAtMs(known));
}

/** Which service it is about. */
function identityOf({ service }: KnownService): JsonObject {
  return { service_id: service.serviceId, runtime: typeFromDescriptor(service.descriptor) };
}

function awayText(nodeId: string): string {
  return `EHOSTDOWN: ${offlineError(nodeId).sentence}\n`;
}

const OFFLINE_STATUS: JsonObject = {
  state: 'offline',
  invocation_id: null,
  exit_code: null,
  error: null,
  errno: null,
  started_at: null,
  finished_at: null,
  duration_ms: null,
  by: null,
};
