import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FsError, isJsonObject, type ServiceId } from '../core/index.js';
import { replaceFile } from '../disk/index.js';
import type { Ids } from '../drivers/index.js';

export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** What systemd keeps for users that it makes up as well. */
export const DEFAULT_UID_RANGE: UidRange = { first: 61_184, last: 65_519 };

const FORMAT = 1;

/**
 * A user for each service that has no name, owns nothing and is nobody else's: neither of another service
 * of this node nor of /etc/passwd and /etc/group. A service keeps its number as long as the file is kept.
 * Where numbers start is made of the ids, so that two nodes of one machine seldom give the same.
 */
export class DynamicUsers {
  readonly #file: string;
  readonly #nodeId: string;
  readonly #range: UidRange;
  readonly #uids: Map<string, number>;

  /** @throws FsError EPROTO where the file is of a later format, EIO where it cannot be read. */
  constructor(file: string, nodeId: string, range: UidRange) {
    this.#file = file;
    this.#nodeId = nodeId;
    this.#range = range;
    this.#uids = load(file);
  }

  /** @throws FsError EIO where no number is left, or the file cannot be written. */
  idsOf(serviceId: ServiceId): Ids {
    const known = this.#uids.get(serviceId);
    if (known !== undefined && this.#isInRange(known)) return { uid: known, gid: known };
    const uid = this.#choose(serviceId);
    this.#uids.set(serviceId, uid);
    try {
      this.#save();
    } catch (thrown) {
      this.#uids.delete(serviceId);
      throw thrown;
    }
    return { uid, gid: uid };
  }

  #isInRange(uid: number): boolean {
    return uid >= this.#range.first && uid <= this.#range.last;
  }

  #choose(serviceId: string): number {
    const { first, last } = this.#range;
    const taken = new Set([...this.#uids.values(), ...numbersOf('/etc/passwd'), ...numbersOf('/etc/group')]);
    const count = last - first + 1;
    const start =
      createHash('sha256').update(`${this.#nodeId}\0${serviceId}`).digest().readUInt32LE(0) % count;
    for (let step = 0; step < count; step++) {
      const uid = first + ((start + step) % count);
      if (!taken.has(uid)) return uid;
    }
    throw new FsError('EIO', `No user number from ${first} to ${last} is free for ${serviceId}.`, {
      hint: 'Give a larger --driver-uid-range.',
    });
  }

  #save(): void {
    const content = { format: FORMAT, uids: Object.fromEntries(this.#uids) };
    replaceFile(this.#file, `${JSON.stringify(content, null, 2)}\n`);
  }
}

function load(file: string): Map<string, number> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw FsError.from(thrown);
  }
  const content = parse(text);
  if (!isJsonObject(content) || !isJsonObject(content['uids']))
    throw new FsError('EIO', `${file} is damaged: it does not say which service runs as whom.`, {
      hint: 'Restore it, or remove it: then each service gets another user.',
      path: file,
    });
  const format = content['format'];
  if (typeof format !== 'number' || format > FORMAT)
    throw new FsError('EPROTO', `${file} is of a later release (format ${JSON.stringify(format)}).`, {
      hint: `This release reads formats up to ${FORMAT}.`,
      path: file,
    });
  return new Map(
    Object.entries(content['uids']).filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The third field of each line: uid or gid. */
function numbersOf(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').map((line) => Number(line.split(':')[2] ?? NaN)); // prettier-ignore
  } catch {
    return [];
  }
}
