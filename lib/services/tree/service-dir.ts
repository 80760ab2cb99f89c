import { principalOf } from '../../policy/index.js';
import {
  MapDir,
  ReadOnlyDir,
  StableSnapshot,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type Node,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import { timeOfInvocationId } from '../../core/index.js';
import { ALIASES, DESCRIPTOR_FILES, type PublishedService } from '../../manifest/index.js';
import { publishedFrom } from '../documents.js';
import { LiveDocuments } from '../live-documents.js';
import type { Service } from '../service.js';
import { CallsDir } from './calls-dir.js';
import type { PlacedDir } from './derived-roots.js';
import { ConfigFile } from './config-file.js';
import { DriverFolderDir } from './driver-folder-dir.js';
import { GatedDocument } from './gated-document.js';
import { historyFiles } from './history-files.js';
import { InvokeFile } from './invoke-file.js';
import { JobsDir } from './jobs-dir.js';
import { OneShotControl, type OneShot } from './one-shot-control.js';

/**
 * A service as a directory. Inner derived roots (another service mounted below this one's root) are
 * extra entries, given by `extra`.
 */
export class ServiceDir extends ReadOnlyDir implements PlacedDir {
  readonly ino = newIno();
  readonly #service: Service;
  readonly #files: ReadonlyMap<string, Node>;
  /** What is there only where there is something to run. */
  readonly #running: ReadonlyMap<string, Node>;
  /** `control/` of what runs without being called itself. */
  readonly #kept: Node;
  readonly #folder: DriverFolderDir;

  constructor(service: Service) {
    super();
    this.#service = service;
    const live = new LiveDocuments(service);
    const liveFile = (render: (op: Op) => Snapshot): GatedDocument =>
      new GatedDocument(service.gate, render, { freshness: 'live' });
    this.#files = new Map<string, Node>([
      ...[...DESCRIPTOR_FILES].map(([name, render]): [string, Node] => [name, this.#descriptor(render)]),
      ['status.json', liveFile((op) => live.status(op.session))],
      ['result.json', liveFile((op) => live.result(op.session))],
      ['last_error.txt', liveFile((op) => live.lastError(op.session))],
      ['metrics.json', liveFile(() => live.metrics())],
      ['health.json', liveFile(() => live.health())],
      ['config.json', new ConfigFile(service)],
      ['jobs', new JobsDir(service)],
      ...historyOf(service),
    ]);
    this.#running = new Map<string, Node>([
      ['calls', new CallsDir(service)],
      ['control', controlDir(service, live)],
    ]);
    const restart = new OneShotControl(service, restartOf(service));
    this.#kept = new MapDir(new Map([['restart', restart]]), {
      timeNs: () => nsFromMs(service.definedAtMs),
      check: (op) => service.gate.require(op.session, 'observe'),
    });
    this.#folder = new DriverFolderDir(service);
  }

  get service(): Service {
    return this.#service;
  }

  isSeenBy(op: Op): boolean {
    return this.#service.gate.allows(op.session, 'observe');
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    return dirStat(this.ino, nsFromMs(this.#service.definedAtMs), 0o555, this.#service.runnable ? 6 : 4);
  }

  lookup(name: string, op: Op): Node {
    this.#service.gate.require(op.session, 'observe');
    const node = this.#files.get(ALIASES.get(name) ?? name) ?? this.#shown.get(name);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.#service.gate.require(op.session, 'observe');
    return [...this.#files, ...this.#shown].map(([name, node]) => entryOf(name, node));
  }

  /** What is there because of what runs it. */
  get #shown(): ReadonlyMap<string, Node> {
    const { driver, runnable } = this.#service;
    if (runnable || driver === null) return runnable ? this.#running : NOTHING;
    const { folder } = driver;
    return new Map<string, Node>([
      ['control', this.#kept],
      ...(folder === undefined ? [] : [[folder.name, this.#folder] as const]),
    ]);
  }

  #descriptor(render: (service: PublishedService) => Buffer): GatedDocument {
    const text = new StableSnapshot();
    let rendered: { revision: number; snapshot: Snapshot } | null = null;
    return new GatedDocument(this.#service.gate, () => {
      const { revision, definedAtMs } = this.#service;
      if (rendered?.revision !== revision)
        rendered = { revision, snapshot: text.snapshot(render(publishedFrom(this.#service)), definedAtMs) };
      return rendered.snapshot;
    });
  }
}

function historyOf(service: Service): [string, Node][] {
  const { gate } = service;
  return historyFiles({
    check: ({ session }) => gate.require(session, 'observe'),
    records: () => service.records,
    sees:
      ({ session }) =>
      (permissions) =>
        gate.wouldShow(session, permissions),
    now: () => service.nowMs,
  });
}

const NOTHING: ReadonlyMap<string, Node> = new Map();

function restartOf(service: Service): OneShot {
  return {
    action: 'control',
    usage: 'Write anything here to clear errors and backoff, and to start anew what is kept running.',
    act: (_, op) => service.restart(op.session),
  };
}

function controlDir(service: Service, live: LiveDocuments): MapDir {
  const all = (op: Op): string | null => (op.session.role === 'admin' ? null : principalOf(op.session));
  const controls = new Map<string, OneShot>([
    [
      'reset',
      {
        action: 'invoke',
        usage:
          'Write anything here to set result.json and status.json back to idle and empty last_error.txt.',
        act: (_, op) => service.reset(all(op), op.session),
      },
    ],
    [
      'enable',
      {
        action: 'control',
        usage: 'Write anything here to enable the service.',
        act: (_, op) => service.setEnabled(true, op.session),
      },
    ],
    [
      'disable',
      {
        action: 'control',
        usage: 'Write anything here to disable the service: calls are refused until it is enabled.',
        act: (_, op) => service.setEnabled(false, op.session),
      },
    ],
    ['restart', restartOf(service)],
    [
      'cancel',
      {
        action: 'invoke',
        usage: 'Write anything here to cancel all of your invocations, or the id of one to cancel that one.',
        act: (written, op) =>
          service.cancel(all(op), timeOfInvocationId(written) === undefined ? null : written, op.session),
      },
    ],
  ]);
  const entries = new Map<string, Node>([
    ['invoke.json', new InvokeFile(service, live, 'invoke')],
    ['submit.json', new InvokeFile(service, live, 'submit')],
    ...[...controls].map(([name, control]) => [name, new OneShotControl(service, control)] as const),
  ]);
  return new MapDir(entries, {
    timeNs: () => nsFromMs(service.definedAtMs),
    check: (op) => service.gate.require(op.session, 'observe'),
  });
}
