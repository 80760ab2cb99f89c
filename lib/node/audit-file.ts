import { createHmac, randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { FsError, timestamp } from '../core/index.js';
import type { AuditRecord } from '../services/index.js';
import type { Growing } from '../vfs/index.js';
import { newIno } from '../vfs/index.js';

const ROTATE_BYTES = 64 * 1024 * 1024;

/**
 * The append-only audit log of this node, one JSON line per act. Payloads appear as a keyed hash: equal
 * payloads can be told to be equal, and nobody can guess them from the log. At 64 MiB the file is set
 * aside as `<file>.1`.
 */
export class AuditFile {
  readonly #path: string;
  readonly #key: Buffer;
  readonly #now: () => number;
  #fd: number;
  #size: number;
  #changedAtMs: number;
  #ino = newIno();

  /** @throws FsError when the log or its key cannot be opened. */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
    this.#key = readOrMakeKey(`${path}.key`);
    this.#fd = openSync(path, 'a+', 0o600);
    const { size, mtimeMs } = fstatSync(this.#fd);
    this.#size = size;
    this.#changedAtMs = mtimeMs;
  }

  get ino(): bigint {
    return this.#ino;
  }

  get changedAtMs(): number {
    return this.#changedAtMs;
  }

  /** The log as a stream that grows. */
  get content(): Growing {
    return { size: this.#size, read: (at, size) => this.#read(at, size) };
  }

  /** @throws FsError EIO when it cannot be written: the act is to be refused then. */
  record({ session, action, serviceId, outcome, payload, facts }: AuditRecord): void {
    const line = Buffer.from(
      `${JSON.stringify({
        at: timestamp(this.#now()),
        session_id: session.id,
        role: session.role,
        agent_id: session.agentId,
        project_id: session.project?.id ?? null,
        service_id: serviceId,
        action,
        outcome,
        ...(payload === undefined
          ? {}
          : { payload_hmac: createHmac('sha256', this.#key).update(payload).digest('hex') }),
        ...facts,
      })}\n`,
    );
    try {
      if (writeSync(this.#fd, line) !== line.length) throw new FsError('ENOSPC', 'The disk is full.');
    } catch (thrown) {
      throw new FsError('EIO', 'The act was refused, because the audit log cannot be written.', {
        hint: `An admin must make ${this.#path} writable again: ${FsError.from(thrown).message}`,
        cause: thrown,
      });
    }
    this.#size += line.length;
    this.#changedAtMs = this.#now();
    if (this.#size > ROTATE_BYTES) this.#rotate();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(at: number, size: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(size, this.#size - at)));
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, bytes.length, at));
  }

  #rotate(): void {
    closeSync(this.#fd);
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a+', 0o600);
    this.#size = 0;
    this.#ino = newIno();
  }
}

function readOrMakeKey(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'ENOENT') throw FsError.from(thrown);
  }
  const key = randomBytes(32);
  writeFileSync(path, key, { mode: 0o600, flag: 'wx' });
  return key;
}
