import { FsError, isJsonObject, type JsonObject } from '../../core/index.js';
import { walk } from '../../vfs/index.js';
import { readText, type ShownProgress } from '../../worldfs/index.js';
import type { Tree } from '../tree-access.js';
import type { JobRow, ServiceRow } from './service-table.js';

/** So many files are asked for at a time. */
const AT_ONCE = 16;
/** So many services that nobody sees are looked at in each turn, so that their order becomes known. */
const UNSEEN_A_TURN = 40;
/** So many jobs are shown, and of one service so many of its newest are looked at. */
const MOST_JOBS = 20;
const NEWEST_JOBS = 8;
/** The list of services is read again so soon (ms) after it changed, at the most. */
const RELIST_MS = 2000;

interface Known {
  row: ServiceRow;
  /** Calls, and when they were counted. */
  counted: { readonly calls: number; readonly atMs: number } | null;
}

/** What `acheron top` knows of the services of a tree. What a turn costs depends on what is seen, not on how many there are. */
export class ServiceWatch {
  readonly #tree: Tree;
  readonly #known = new Map<string, Known>();
  #jobs: JobRow[] = [];
  #unseen = 0;
  #isListOld = true;
  /** Rises when the rows are others. */
  revision = 0;
  #listedAt = -Infinity;
  readonly #stopListening: () => void;

  constructor(tree: Tree) {
    this.#tree = tree;
    this.#stopListening = tree.changes.on(() => (this.#isListOld = true));
  }

  get rows(): ServiceRow[] {
    return [...this.#known.values()].map(({ row }) => row);
  }

  get jobs(): readonly JobRow[] {
    return this.#jobs;
  }

  close(): void {
    this.#stopListening();
  }

  /** Reads the list if it may have changed, and the state of those that are `seen` and of a few others. @throws FsError */
  async turn(seen: readonly ServiceRow[]): Promise<void> {
    if (this.#isListOld && performance.now() - this.#listedAt >= RELIST_MS) await this.list();
    const others = [...this.#known.keys()];
    const more = others.slice(this.#unseen, this.#unseen + UNSEEN_A_TURN);
    this.#unseen = this.#unseen + UNSEEN_A_TURN >= others.length ? 0 : this.#unseen + UNSEEN_A_TURN;
    await this.read([...new Set([...seen.map(({ path }) => path), ...more])]);
    await this.#readJobs(seen);
  }

  async list(): Promise<void> {
    this.#isListOld = false;
    this.#listedAt = performance.now();
    const paths = new Set<string>();
    for (const line of (await readText(this.#tree, '/nodes/INDEX.tsv')).split('\n')) {
      const place = /^([^/]+)\/services\/([^/]+)\/control\//.exec(
        line.split('\t')[2]?.replace(/^\/?nodes\//, '') ?? '',
      );
      const [, node, service] = place ?? [];
      if (node === undefined || service === undefined) continue;
      const path = `/nodes/${node}/services/${service}`;
      paths.add(path);
      if (!this.#known.has(path)) this.#known.set(path, { row: newRow(node, service, path), counted: null });
    }
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
    this.revision++;
  }

  /** Reads the state of these services. @throws FsError EHOSTDOWN when the other side is gone altogether */
  async read(paths: readonly string[]): Promise<void> {
    await eachOf(paths, async (path) => {
      const known = this.#known.get(path);
      if (known === undefined) return;
      try {
        const [metrics, health] = await Promise.all([
          this.#json(`${path}/metrics.json`),
          this.#json(`${path}/health.json`),
        ]);
        this.#update(known, metrics, health);
      } catch (thrown) {
        const { code } = FsError.from(thrown);
        if (code === 'ENOENT') this.#isListOld = true;
        known.row = { ...known.row, health: code === 'EHOSTDOWN' ? 'away' : code, perSecond: null };
      }
      this.revision++;
    });
  }

  #update(known: Known, metrics: JsonObject, health: JsonObject): void {
    const atMs = performance.now();
    const calls = numberOf(metrics['invokes_total']);
    const before = known.counted;
    const duration = isJsonObject(metrics['duration_ms']) ? metrics['duration_ms'] : {};
    known.row = {
      ...known.row,
      health: typeof health['state'] === 'string' ? health['state'] : null,
      calls,
      perSecond:
        before === null || calls === null
          ? null
          : Math.max(0, calls - before.calls) / Math.max(0.001, (atMs - before.atMs) / 1000),
      p50: numberOf(duration['p50']),
      p95: numberOf(duration['p95']),
      failures: numberOf(metrics['failures_total']),
      running: numberOf(metrics['running']),
      queued: numberOf(metrics['queued']),
    };
    known.counted = calls === null ? null : { calls, atMs };
  }

  /** The calls that run, of services that are seen. */
  async #readJobs(seen: readonly ServiceRow[]): Promise<void> {
    const found: JobRow[] = [];
    const busy = seen.flatMap(({ path }) => this.#known.get(path)?.row ?? []).filter(isBusy);
    await eachOf(busy.slice(0, MOST_JOBS), async (service) => {
      try {
        const dir = await walk(this.#tree.root, `${service.path}/jobs`, this.#tree.op());
        if (dir.kind !== 'dir') return;
        const names = (await dir.list(this.#tree.op())).filter(
          ({ kind, name }) => kind === 'dir' && name !== 'by-key',
        );
        const newest = names
          .map(({ name }) => name)
          .sort()
          .slice(-NEWEST_JOBS);
        for (const id of newest) {
          const path = `${service.path}/jobs/${id}`;
          const status = await this.#json(`${path}/status.json`);
          if (status['state'] === 'running') found.push(jobFrom(id, path, service, status));
        }
      } catch (thrown) {
        // A job that went meanwhile, or a node that is away, is not shown.
        if (!['ENOENT', 'EHOSTDOWN', 'EACCES'].includes(FsError.from(thrown).code)) throw thrown;
      }
    });
    this.#jobs = found.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(-MOST_JOBS);
  }

  async #json(path: string): Promise<JsonObject> {
    const value: unknown = JSON.parse(await readText(this.#tree, path));
    return isJsonObject(value) ? value : {};
  }
}

const isBusy = ({ running, queued }: ServiceRow): boolean => (running ?? 0) + (queued ?? 0) > 0;

function newRow(node: string, service: string, path: string): ServiceRow {
  const unknown = { health: null, calls: null, perSecond: null, p50: null, p95: null };
  return { node, service, path, ...unknown, failures: null, running: null, queued: null };
}

function jobFrom(id: string, path: string, service: ServiceRow, status: JsonObject): JobRow {
  const by = isJsonObject(status['by']) ? status['by'] : {};
  const whose = by['agent_id'] ?? by['role'];
  const progress = isJsonObject(status['progress']) ? (status['progress'] as unknown as ShownProgress) : null;
  return { id, path, service, by: typeof whose === 'string' ? whose : '-', progress };
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** Does `work` with each, a few at a time. */
async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
