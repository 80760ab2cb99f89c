import { basename, dirname, join } from 'node:path';
import type { FileHandle as HostFile } from 'node:fs/promises';
import { FsError, isJsonObject, ownValue } from '../../core/index.js';
import type { AttrChange, FileHandle, Op, Stat } from '../../vfs/index.js';
import { stopIfAborted } from '../give-up.js';
import type { BlockingWrites } from './blocking-writes.js';
import { fromHost, hostFailure } from './host-failure.js';
import { statFromHost } from './host-stat.js';

/** How long a thread waits for a job at a time: so much later it is free again after a caller gave up. */
const TURN_SECONDS = 1;

/** What a write to a file may take, by its name in a service's directory. */
type Patience = 'call' | 'wait' | 'none';

/** A descriptor of a file of a mount. */
export class MountedHandle implements FileHandle {
  readonly direct = true;
  readonly #file: HostFile;
  readonly #path: string;
  readonly #writes: BlockingWrites;

  constructor(file: HostFile, path: string, writes: BlockingWrites) {
    this.#file = file;
    this.#path = path;
    this.#writes = writes;
  }

  async stat(): Promise<Stat> {
    return statFromHost(await fromHost(this.#file.stat({ bigint: true }), this.#path));
  }

  async setattr(change: AttrChange): Promise<Stat> {
    if (change.size !== undefined) await fromHost(this.#file.truncate(change.size), this.#path);
    return this.stat();
  }

  async read(at: number, size: number, op: Op): Promise<Uint8Array> {
    stopIfAborted(op.signal);
    const into = Buffer.allocUnsafe(size);
    const { bytesRead } = await fromHost(this.#file.read(into, 0, size, at), this.#path);
    return into.subarray(0, bytesRead);
  }

  write(at: number, data: Uint8Array, op: Op): Promise<number> {
    stopIfAborted(op.signal);
    const patience = patienceFor(this.#path);
    if (patience === 'call') return this.#call(at, data, op);
    if (patience === 'wait') return this.#wait(data, op);
    return fromHost(this.#file.write(data, 0, data.length, at), this.#path).then(
      ({ bytesWritten }) => bytesWritten,
    );
  }

  async fsync(dataOnly: boolean): Promise<void> {
    await fromHost(dataOnly ? this.#file.datasync() : this.#file.sync(), this.#path);
  }

  allocate(): never {
    throw new FsError('EOPNOTSUPP', 'Space cannot be reserved here.');
  }

  async release(): Promise<void> {
    await fromHost(this.#file.close(), this.#path);
  }

  /** The write returns when the call has ended. Who gives up ends the call, if it has a key by which it is found. */
  async #call(at: number, data: Uint8Array, op: Op): Promise<number> {
    const key = keyIn(data);
    const cancel = (): void => {
      if (key !== null) void this.#cancel(key);
    };
    op.signal.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#writes.write(this.#file.fd, data, at);
    } catch (thrown) {
      throw hostFailure(thrown, this.#path);
    } finally {
      op.signal.removeEventListener('abort', cancel);
    }
  }

  async #cancel(key: string): Promise<void> {
    const { open } = await import('node:fs/promises');
    const path = join(dirname(dirname(this.#path)), 'jobs', 'by-key', key, 'cancel');
    try {
      const file = await open(path, 'r+');
      await file.write('1\n').finally(() => file.close());
    } catch {
      // It has ended meanwhile, or was refused: the write says which.
    }
  }

  /** In turns, so that nobody is waited for who gave up. */
  async #wait(data: Uint8Array, op: Op): Promise<number> {
    const seconds = Number(Buffer.from(data).toString().trim());
    for (let left = seconds; ; left -= TURN_SECONDS) {
      const turn = Number.isFinite(left) ? Math.min(left, TURN_SECONDS) : seconds;
      const text = Number.isNaN(turn) ? data : Buffer.from(`${Math.max(0, turn).toFixed(3)}\n`);
      try {
        await abandonable(this.#writes.write(this.#file.fd, text, 0), op.signal);
        return data.length;
      } catch (thrown) {
        stopIfAborted(op.signal);
        const error = hostFailure(thrown, this.#path);
        if (error.code !== 'ETIMEDOUT') throw error;
        if (!(left > TURN_SECONDS)) throw new FsError('ETIMEDOUT', 'The invocation has not ended yet.');
      }
    }
  }
}

function patienceFor(path: string): Patience {
  const name = basename(path);
  if (name === 'invoke.json' && basename(dirname(path)) === 'control') return 'call';
  return name === 'wait' && /\/jobs\/(?:by-key\/)?[^/]+\/wait$/.test(path) ? 'wait' : 'none';
}

function keyIn(data: Uint8Array): string | null {
  try {
    const request: unknown = JSON.parse(Buffer.from(data).toString());
    const key = isJsonObject(request) ? ownValue(request, '_key') : undefined;
    return typeof key === 'string' ? key : null;
  } catch {
    // A part of a request, or none: the file says what it makes of it.
    return null;
  }
}

/** Settles as `work` does, or when the caller gives up; the work goes on then, and nobody hears of it. */
function abandonable<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(FsError.from(signal.reason));
    signal.addEventListener('abort', giveUp, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
