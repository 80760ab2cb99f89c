import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FsError, type Log } from '../../../core/index.js';
import { FORMAT } from '../migrations.js';
import { COPY_NAME } from './open-copy.js';
import type { Replica } from './replica.js';

/** So many entries since the last snapshot make another one worth it. */
export const SNAPSHOT_EVERY = 10_000;
const LOOK_EVERY_MS = 15_000;

interface Copied {
  readonly logId: string;
  readonly seq: number;
  readonly id: string;
  readonly data: Uint8Array;
}

export interface SnapshotOptions {
  readonly stateDir: string;
  readonly log: Log;
  readonly every?: number;
  readonly lookEveryMs?: number;
}

/**
 * Keeps the log short: one of the replicas that are there writes a snapshot now and then, and forgets what is before the one before it,
 * as far as every replica that is there has applied it.
 */
export class SnapshotKeeper {
  readonly #replica: Replica;
  readonly #options: Required<SnapshotOptions>;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #working: Promise<void> = Promise.resolve();

  constructor(replica: Replica, options: SnapshotOptions) {
    this.#replica = replica;
    this.#options = { every: SNAPSHOT_EVERY, lookEveryMs: LOOK_EVERY_MS, ...options };
    this.#arm();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #arm(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#working = this.#review()
        .catch((thrown: unknown) => {
          if (FsError.from(thrown).code !== 'EHOSTDOWN')
            this.#options.log.error('a snapshot could not be made', { error: thrown });
        })
        .finally(() => this.#arm());
    }, this.#options.lookEveryMs);
  }

  async #review(): Promise<void> {
    const { log, membership, appliedSeq } = this.#replica;
    if (!membership.isServing() || membership.members()[0]?.id !== membership.selfId) return;
    const last = await log.lastSnapshot();
    // What a later release wrote, an earlier one would not copy whole.
    if ((last?.format ?? FORMAT) > FORMAT || this.#replica.newestFormat > FORMAT) return;
    if (appliedSeq - (last?.seq ?? 0) < this.#options.every) return;
    const { logId, seq, id, data } = await this.#copy();
    if (logId !== log.logId) return;
    await log.writeSnapshot({ seq, id, format: FORMAT, data: Buffer.from(data) });
    this.#options.log.info('a snapshot of the log was written', { seq, bytes: data.length });
    if (last === undefined) return;
    const slowest = Math.min(...membership.members().map((member) => member.appliedSeq));
    await log.trim(Math.min(last.seq, slowest));
  }

  #copy(): Promise<Copied> {
    const { stateDir } = this.#options;
    const workerData = { from: join(stateDir, COPY_NAME), to: join(stateDir, `${COPY_NAME}.snapshot`) };
    const worker = new Worker(new URL('./snapshot-worker.js', import.meta.url), { workerData, execArgv: [] });
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new FsError('EIO', 'The copy for a snapshot was not made.')));
    });
  }
}
