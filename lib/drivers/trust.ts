import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';

/** Why something is not safe from other users, and what to do. */
export interface Distrust {
  readonly message: string;
  readonly hint: string;
}

const STICKY = 0o1000;
/** As many as Linux follows. */
const MAX_LINKS = 40;
const INSTEAD = 'or pass --trust-writable if everyone who can write there may run programs as this node';

/**
 * Finds whether users other than root and our own could change a file, or put another in its place:
 * by its mode or owner, or by those of a folder above it. A group that is the user's own (same number, not root's) is
 * no other user. Answers are remembered for the life of the object, so make one for each pass.
 */
export class TrustCheck {
  readonly #uid: number;
  readonly #gid: number;
  readonly #folders = new Map<string, Distrust | null>();

  constructor(
    identity: { uid: number; gid: number } = {
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    },
  ) {
    this.#uid = identity.uid;
    this.#gid = identity.gid;
  }

  /** A file that will be read or run. Null: only we can change it. @throws what `lstat` throws when it is not there. */
  file(path: string): Distrust | null {
    return this.#walk(path);
  }

  /** A folder whose files will be read: nobody else may add one, not even where a sticky bit guards the others. */
  folder(path: string): Distrust | null {
    return this.#walk(path);
  }

  /** Goes the way that the kernel goes, link by link, and judges each folder that it passes. */
  #walk(path: string): Distrust | null {
    let folder = '/';
    let left = namesOf(path.startsWith('/') ? path : resolve(path));
    for (let links = 0; ;) {
      const above = this.#folder(folder);
      if (above !== null) return above;
      const name = left.shift();
      if (name === undefined) return null;
      const next = join(folder, name);
      const stats = lstatSync(next);
      if (stats.isSymbolicLink()) {
        // Its mode says nothing; its owner may replace it where only a sticky bit guards the folder.
        const distrust = this.#judgeOwner(next, stats.uid);
        if (distrust !== null) return distrust;
        if (++links > MAX_LINKS) throw Object.assign(new Error(`Too many links: ${path}`), { code: 'ELOOP' });
        const target = readlinkSync(next);
        if (target.startsWith('/')) folder = '/';
        left = [...namesOf(target), ...left];
      } else if (left.length === 0) return this.#judge(next, stats, false);
      else folder = next;
    }
  }

  #folder(path: string): Distrust | null {
    let answer = this.#folders.get(path);
    if (answer === undefined) this.#folders.set(path, (answer = this.#judge(path, lstatSync(path), true)));
    return answer;
  }

  #judgeOwner(path: string, uid: number): Distrust | null {
    if (uid === 0 || uid === this.#uid) return null;
    return {
      message: `${path} belongs to user ${uid}, who could change it`,
      hint: `Run "chown ${this.#uid} ${path}", ${INSTEAD}.`,
    };
  }

  #judge(path: string, { mode, uid, gid }: Stats, stickyGuards: boolean): Distrust | null {
    const owner = this.#judgeOwner(path, uid);
    if (owner !== null) return owner;
    if (stickyGuards && (mode & STICKY) !== 0) return null;
    const ownGroup = this.#uid !== 0 && gid === this.#gid && gid === this.#uid;
    const open = mode & (ownGroup ? 0o002 : 0o022);
    if (open === 0) return null;
    return {
      message: `${path} may be written by ${(open & 0o002) === 0 ? `group ${gid}` : 'every user'} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`,
      hint: `Run "chmod go-w ${path}", ${INSTEAD}.`,
    };
  }
}

/** With `..` left in, as it is that of what a link before it leads to. */
function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
