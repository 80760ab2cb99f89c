import { randomBytes } from 'node:crypto';
import { Emitter, FsError, ownValue, type JsonObject, type Log } from '../../core/index.js';
import type { ReloadReportSource, SentReport } from '../../control/index.js';
import type { ReloadRecord } from '../../registry/index.js';
import { HistoryLog } from './history-log.js';

/** Records that are kept, the newest; the file holds twice as many before it is written anew. */
const KEPT = 64;

interface KeptReload {
  readonly n: number;
  readonly record: ReloadRecord;
}

/** What the reloads of this node's manifests did: the newest, and those that a control plane does not have yet. */
export class NodeReloads implements ReloadReportSource {
  readonly appended = new Emitter<void>();
  readonly #log: HistoryLog;
  readonly #options: { readonly log: Log };
  readonly #run = randomBytes(8).toString('hex');
  #kept: readonly KeptReload[];
  #unsent: readonly SentReport[] = [];
  #written: number;

  /** @throws FsError EPROTO where a newer release wrote it */
  constructor(path: string, options: { readonly log: Log }) {
    this.#options = options;
    this.#log = new HistoryLog(path, options.log);
    const lines = this.#log.load();
    this.#written = lines.length;
    this.#kept = lines.flatMap(keptFromLine).slice(-KEPT);
  }

  add(record: ReloadRecord): void {
    const n = (this.#kept.at(-1)?.n ?? 0) + 1;
    this.#kept = [...this.#kept, { n, record }].slice(-KEPT);
    this.#unsent = [...this.#unsent, { report_id: `${this.#run}-${n}`, ...record }].slice(-KEPT);
    try {
      if (++this.#written <= 2 * KEPT) this.#log.append([lineOf({ n, record })]);
      else {
        this.#log.replace(this.#kept.map(lineOf));
        this.#written = this.#kept.length;
      }
    } catch (thrown) {
      this.#options.log.error('The report on a reload could not be written.', {
        error: FsError.from(thrown).message,
      });
    }
    this.appended.emit();
  }

  numbers(): { readonly n: number; readonly timestampMs: number }[] {
    return this.#kept.map(({ n, record }) => ({ n, timestampMs: record.timestamp_ms }));
  }

  get(n: number): ReloadRecord | undefined {
    return this.#kept.find((kept) => kept.n === n)?.record;
  }

  next(): { readonly report: SentReport; taken(): void } | null {
    const [report] = this.#unsent;
    if (report === undefined) return null;
    return { report, taken: () => (this.#unsent = this.#unsent.filter((other) => other !== report)) };
  }

  close(): void {
    this.#log.close();
  }
}

function lineOf({ n, record }: KeptReload): JsonObject {
  return { n, record };
}

function keptFromLine(line: JsonObject): KeptReload[] {
  const [n, record] = [ownValue(line, 'n'), ownValue(line, 'record')];
  const isOne = typeof n === 'number' && record !== null && typeof record === 'object';
  return isOne ? [{ n, record: record as ReloadRecord }] : [];
}
