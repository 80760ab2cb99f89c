import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import { processFacts } from './proc-table.js';

/**
 * Remembers which processes run, so that the next start of a killed node can end what it left behind
 * (`endLeftovers`).
 */
export interface ProcessLedger {
  /**
   * A name for a process about to start; it goes into its environment as `ACHERON_PROCESS_TAG`.
   * @throws FsError ENOSPC where the process could not be recorded
   */
  newTag(): string;
  /** Records a process that leads its own group; the returned function forgets it. */
  record(pid: number, tag: string): () => void;
}

export const TAG_VARIABLE = 'ACHERON_PROCESS_TAG';
export const LEDGER_FORMAT = 1;
const HEADER_BYTES = 128;
const SLOT_BYTES = 64;
/** With the header, a page of the disk. */
const SLOTS_AT_ONCE = 62;

/**
 * A ledger in a file of fixed slots, one line each: `<pid> <start time> <tag>`. Recording is one small
 * write at a known offset, without fsync: it has to survive the node, not the machine, whose end ends the
 * processes too. Forgetting only frees the slot, as a line counts no longer once its process is gone
 * (its start time distinguishes it from a later process of the same pid). The header names the boot.
 */
export class FileLedger implements ProcessLedger {
  readonly #file: string;
  readonly #fd: number;
  readonly #run = randomBytes(8).toString('hex');
  readonly #free: number[] = [];
  #slots = 0;
  #tags = 0;

  /** Starts an empty ledger; call `endLeftovers` on the file before, or what it held is forgotten. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, 'w', 0o600);
    const header = `acheron-processes ${LEDGER_FORMAT} ${bootId() || '-'} ${this.#run}`;
    writeSync(this.#fd, `${header.padEnd(HEADER_BYTES - 1)}\n`, 0);
  }

  newTag(): string {
    this.#nextSlot();
    return `${this.#run}-${(this.#tags++).toString(36)}`;
  }

  record(pid: number, tag: string): () => void {
    const slot = this.#nextSlot();
    this.#free.pop();
    const line = `${pid} ${processFacts(pid)?.startTime || '-'} ${tag}`;
    writeSync(this.#fd, `${line.padEnd(SLOT_BYTES - 1)}\n`, HEADER_BYTES + slot * SLOT_BYTES);
    let held = true;
    return () => {
      if (held) this.#free.push(slot);
      held = false;
    };
  }

  /** The last of the free slots. They are written before they are used: recording takes no space, so no process runs that cannot be recorded. */
  #nextSlot(): number {
    const free = this.#free.at(-1);
    if (free !== undefined) return free;
    const first = this.#slots;
    const blank = `${' '.repeat(SLOT_BYTES - 1)}\n`.repeat(SLOTS_AT_ONCE);
    const at = HEADER_BYTES + this.#slots * SLOT_BYTES;
    let written: number;
    try {
      written = writeSync(this.#fd, blank, at);
    } catch (thrown) {
      throw cannotRecord(this.#file, thrown);
    }
    if (written !== blank.length) throw cannotRecord(this.#file, null);
    this.#slots += SLOTS_AT_ONCE;
    for (let slot = this.#slots - 1; slot >= first; slot--) this.#free.push(slot);
    return first;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function cannotRecord(path: string, cause: unknown): FsError {
  const code = cause === null ? 'ENOSPC' : FsError.from(cause).code;
  return new FsError(code, `No process can be started: ${path} cannot be written.`, {
    hint: code === 'ENOSPC' ? 'Free some space on its disk.' : 'Look at its disk.',
    path,
    cause,
  });
}

const RUN = randomBytes(8).toString('hex');
let tags = 0;

/** A tag where no ledger is kept. */
export function newTag(): string {
  return `${RUN}-${(tags++).toString(36)}`;
}

/** Identifies this boot of the machine; empty where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    // The system does not say: then no ledger counts as of this boot.
    return '';
  }
}
