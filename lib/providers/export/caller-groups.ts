import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { FsError } from '../../core/index.js';

/** As many callers are known at a time. A document of proc(5) holds no process: it ends with it. */
const MAX_KNOWN = 16;
const LINE = '\nGroups:\t';
const buffer = Buffer.alloc(4096);

/**
 * The supplementary groups of the caller, as they are at that moment (proc(5), `status`). The document is kept open
 * for its next calls: it stays that of the one process (or thread), even when another gets its number later.
 */
export class CallerGroups {
  /** By number, in the order in which they came. */
  readonly #statuses = new Map<number, number>();

  /**
   * None for 0, a caller outside of our pid namespace: nothing can be learnt of it.
   * @throws FsError EACCES where the caller is gone, for which nothing is done any more
   */
  of(pid: number): readonly number[] {
    if (pid === 0) return [];
    const known = this.#statuses.get(pid);
    if (known !== undefined) {
      const groups = readGroups(known, pid);
      if (groups !== undefined) return groups;
      this.#forget(pid, known);
    }
    const groups = readGroups(this.#open(pid), pid);
    if (groups === undefined) throw gone();
    return groups;
  }

  #open(pid: number): number {
    let fd;
    try {
      fd = openSync(`/proc/${pid}/status`, 'r');
    } catch (thrown) {
      throw (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? gone() : thrown;
    }
    for (const [oldest, status] of this.#statuses) {
      if (this.#statuses.size < MAX_KNOWN) break;
      this.#forget(oldest, status);
    }
    this.#statuses.set(pid, fd);
    return fd;
  }

  #forget(pid: number, fd: number): void {
    this.#statuses.delete(pid);
    closeSync(fd);
  }

  close(): void {
    for (const [pid, fd] of this.#statuses) this.#forget(pid, fd);
  }
}

/** Undefined where the process is gone. */
function readGroups(fd: number, pid: number): readonly number[] | undefined {
  try {
    let text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
    let from = text.indexOf(LINE);
    let to = from < 0 ? -1 : text.indexOf('\n', from + LINE.length);
    if (to < 0) {
      // Very many groups.
      text = readFileSync(`/proc/${pid}/status`, 'latin1');
      from = text.indexOf(LINE);
      to = text.indexOf('\n', from + LINE.length);
    }
    return text
      .slice(from + LINE.length, to)
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ESRCH' || code === 'ENOENT') return undefined;
    throw thrown;
  }
}

function gone(): FsError {
  return new FsError('EACCES', 'The process that asked for this is gone.');
}
