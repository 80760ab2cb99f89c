import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Why something is not safe from other users, and what to do. */
export interface Distrust {
  readonly message: string;
  readonly hint: string;
}

const STICKY = 0o1000;

/**
 * Tells whether users other than root and our own could change a file, or put another in its place:
 * by its mode or owner, or by those of a folder above it. A group that is the user's own (same number, not root's) is
 * no other user. Answers are remembered for the life of the object, so make one for each pass.
 */
export class TrustCheck {
  readonly #uid: number;
  readonly #gid: number;
  readonly #folders = new Map<string, Promise<Distrust | null>>();

  constructor(
    identity: { uid: number; gid: number } = {
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    },
  ) {
    this.#uid = identity.uid;
    this.#gid = identity.gid;
  }

  /** A file that will be read or run. Null: only we can change it. Rejects when it is not there. */
  async file(path: string): Promise<Distrust | null> {
    const real = await realpath(path);
    return (
      this.#judge(real, await stat(real), false) ??
      (await this.#above(real)) ??
      (real === path ? null : await this.#above(path))
    );
  }

  /** A folder whose files will be read: nobody else may add one, not even where a sticky bit guards the others. */
  async folder(path: string): Promise<Distrust | null> {
    const real = await realpath(path);
    return this.#judge(real, await stat(real), false) ?? (await this.#above(real));
  }

  async #above(path: string): Promise<Distrust | null> {
    const folder = dirname(path);
    if (folder === path) return null;
    let answer = this.#folders.get(folder);
    if (answer === undefined) {
      answer = this.#judgeFolder(folder);
      this.#folders.set(folder, answer);
    }
    return answer;
  }

  async #judgeFolder(folder: string): Promise<Distrust | null> {
    return this.#judge(folder, await stat(folder), true) ?? (await this.#above(folder));
  }

  #judge(path: string, { mode, uid, gid }: Stats, stickyGuards: boolean): Distrust | null {
    const instead = 'or pass --trust-writable if everyone who can write there may run programs as this node';
    if (uid !== 0 && uid !== this.#uid)
      return {
        message: `${path} belongs to user ${uid}, who could change it`,
        hint: `Run "chown ${this.#uid} ${path}", ${instead}.`,
      };
    if (stickyGuards && (mode & STICKY) !== 0) return null;
    const ownGroup = this.#uid !== 0 && gid === this.#gid && gid === this.#uid;
    const open = mode & (ownGroup ? 0o002 : 0o022);
    if (open === 0) return null;
    return {
      message: `${path} may be written by ${(open & 0o002) === 0 ? `group ${gid}` : 'every user'} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`,
      hint: `Run "chmod go-w ${path}", ${instead}.`,
    };
  }
}
