import { createHmac, randomBytes } from 'node:crypto';
import type { AuditSource, SentRecord } from '../control/index.js';
import { existsSync, statSync } from 'node:fs';
import { AuditQueueFile, readOrMakeSecret, type Dropped } from '../disk/index.js';
import {
  Emitter,
  FsError,
  isJsonObject,
  joinedJson,
  type JsonObject,
  type Log,
  reasonOf,
  Repeats,
  systemClock,
  timestamp,
} from '../core/index.js';
import type { AuditRecord } from '../services/index.js';
import { fileStat, newIno, nsFromMs, StreamFile, type Node } from '../vfs/index.js';

/** About a quarter of the largest frame. */
const BATCH_BYTES = 256 * 1024;
/** The act of a record about records that are lost. */
const DROPPED = 'audit_dropped';

/**
 * The append-only audit log of this node, one JSON line per act; a control plane, where there is one, gets
 * them all. Payloads appear as a keyed hash: equal payloads can be seen to be equal, and nobody can guess
 * them from the log.
 */
export class NodeAuditLog implements AuditSource {
  readonly appended = new Emitter<void>();
  readonly #queue: AuditQueueFile;
  readonly #keyPath: string;
  /** Of the payload hashes. Made with the first record, so that where there is one, there was a record. */
  #key: Buffer | undefined;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #run = randomBytes(8).toString('hex');
  readonly #denials = new Repeats<AuditRecord>(systemClock, (record, repeats) => {
    if (repeats === 0) this.#write(record);
    else this.#writeRepeats(record, repeats);
  });
  #count = 0;
  #closed = false;
  #ino = newIno();

  /** @throws FsError when the log or its key cannot be opened. */
  constructor(path: string, now: () => number, log: Log, maxBytes?: number) {
    this.#keyPath = `${path}.key`;
    const wasUsed = existsSync(this.#keyPath);
    if (wasUsed && sizeOf(path) + sizeOf(`${path}.1`) === 0)
      log.warn(
        'The audit log is missing or empty, though there was one: what it held is lost, unless it was sent.',
        {
          file: path,
        },
      );
    if (wasUsed) this.#key = this.#readOrMakeKey();
    this.#queue = new AuditQueueFile(path, {
      ...(maxBytes === undefined ? {} : { maxBytes }),
      lineOfDropped: (dropped) => this.#lineOfDropped(dropped),
    });
    this.#now = now;
    this.#log = log;
  }

  /**
   * Records an act; a denial like one of the last ten seconds is counted, and recorded with `repeats` after them.
   * @throws FsError EIO when it cannot be written: the act is to be refused then.
   */
  record(record: AuditRecord): void {
    const { by, act, serviceId, outcome } = record;
    if (outcome !== 'denied') this.#write(record);
    else this.#denials.note(JSON.stringify([by?.principal ?? null, act, serviceId]), record);
  }

  #write({ by, act, serviceId, outcome, payload, facts }: AuditRecord): void {
    const key = (this.#key ??= this.#makeKey());
    const line = this.#lineOf(
      {
        act,
        outcome,
        session_id: by?.sessionId ?? null,
        role: by?.role ?? null,
        agent_id: by?.agentId ?? null,
        project_id: by?.projectId ?? null,
        service_id: serviceId,
        payload_hash:
          payload === undefined ? undefined : createHmac('sha256', key).update(payload).digest('hex'),
      },
      facts,
    );
    try {
      if (this.#queue.append(line)) this.#ino = newIno();
    } catch (thrown) {
      throw cannotBeWritten(this.#queue.path, thrown);
    }
    this.appended.emit();
  }

  #lineOf(record: object, facts: JsonObject = {}): string {
    const common = { at: timestamp(this.#now()), record_id: `${this.#run}-${++this.#count}` };
    return `${joinedJson(common, record, facts)}\n`;
  }

  /** What the oldest of them was about is lost with it: this record includes that. */
  #lineOfDropped({ lines, first, last }: Dropped): string {
    const earlier = droppedBefore(first);
    const removed = earlier === null ? lines : lines - 1 + earlier.removed;
    const from = earlier === null ? timeOfLine(first) : earlier.fromMs;
    const span = { from_timestamp_ms: from, until_timestamp_ms: timeOfLine(last) };
    this.#log.warn('Records of the audit log are lost that nobody had taken: there were too many.', {
      file: this.#queue.path,
      removed,
      ...span,
    });
    return this.#lineOf({ act: DROPPED, outcome: 'ok', removed, ...span });
  }

  #readOrMakeKey(): Buffer {
    return readOrMakeSecret(this.#keyPath, 32, 'of the hashes in the audit log');
  }

  #makeKey(): Buffer {
    try {
      return this.#readOrMakeKey();
    } catch (thrown) {
      throw cannotBeWritten(this.#keyPath, thrown);
    }
  }

  /** They were denied long ago: a log that cannot be written to changes nothing about that. */
  #writeRepeats(record: AuditRecord, repeats: number): void {
    try {
      this.#write({ ...record, facts: { ...record.facts, repeats } });
    } catch (thrown) {
      this.#log.error('Denials could not be recorded.', { repeats, error: FsError.from(thrown).message });
    }
  }

  /** What a control plane is to be sent next, oldest first; null when it has all. */
  batch(maxBytes = BATCH_BYTES): ReturnType<AuditSource['batch']> {
    while (!this.#closed) {
      const batch = this.#queue.batch(maxBytes);
      if (batch === null) return null;
      const records = batch.lines.map((line) => this.#sentFrom(line)).filter((record) => record !== null);
      if (records.length > 0) return { records, taken: () => batch.taken() };
      batch.taken();
    }
    return null;
  }

  /** False where the log ends just before the end of this invocation: a kill came in between. */
  hasEnd(invocationId: string, endedAtMs: number): boolean {
    const lines = this.#queue.tail();
    const last = lines.at(-1);
    if (last === undefined || timeOfLine(last) > endedAtMs) return true;
    return lines.some((line) => line.includes(`"invocation_id":"${invocationId}","state":`));
  }

  /** `/control/audit.ndjson`. */
  file(): Node {
    const ino = this.#ino;
    const queue = this.#queue;
    return new StreamFile(
      ino,
      () => {
        if (this.#ino !== ino) throw new FsError('ESTALE', 'This file was set aside; open it again.');
        return { size: queue.size, read: (at, size) => queue.read(at, size) };
      },
      (size) => fileStat(ino, nsFromMs(queue.changedAtMs), 0o400, size),
    );
  }

  close(): void {
    this.#denials.close();
    this.#closed = true;
    this.#queue.close();
  }

  #sentFrom(line: string): SentRecord | null {
    try {
      const { at, ...rest } = JSON.parse(line) as { at: string } & SentRecord;
      if (typeof rest.record_id === 'string') return { ...rest, timestamp_ms: Date.parse(at) };
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError)) throw thrown;
    }
    this.#log.warn('A line of the audit log is no record that can be sent; it stays where it is.', {
      file: this.#queue.path,
    });
    return null;
  }
}

/** When a record was made; never, for a line that is none. */
/** What a record of lost records is about; null for every other record. */
function droppedBefore(line: string): { removed: number; fromMs: number } | null {
  const record = recordOfLine(line);
  if (record?.['act'] !== DROPPED) return null;
  const { removed, from_timestamp_ms: fromMs } = record;
  return typeof removed === 'number' && typeof fromMs === 'number' ? { removed, fromMs } : null;
}

function timeOfLine(line: string): number {
  const at = recordOfLine(line)?.['at'];
  return typeof at === 'string' ? Date.parse(at) : 0;
}

function recordOfLine(line: string): JsonObject | null {
  try {
    const value = JSON.parse(line) as JsonObject;
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

function cannotBeWritten(path: string, cause: unknown): FsError {
  return new FsError('EIO', 'The act was refused, because the audit log cannot be written.', {
    hint: `An admin must make ${path} writable again: ${reasonOf(cause)}.`,
    cause,
  });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
