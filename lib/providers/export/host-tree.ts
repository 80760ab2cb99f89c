import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import { O_PATH, bytesFromText, isRawText } from '../../linux/index.js';
import type { Op } from '../../vfs/index.js';
import { CallerGroups } from './caller-groups.js';
import { hostErrorFrom } from './host-error.js';
import type { Identity, UserMap } from './identity.js';
import { MountBorder } from './mount-border.js';
import { hostStatFromNode, type HostStat } from './host-stat.js';
import type { Native } from './native.js';

/** Never follows a last symlink, never waits for the other end of a pipe, never takes a terminal. */
export const O_SAFE = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** The longest path (bytes) that one openat2 is given; the kernel's limit is 4096 with the NUL. */
const MAX_STEP_BYTES = 4000;

/** The path by which Node's functions reach what an open descriptor names: not a walk, so nothing can be swapped in. */
export function pathOfFd(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** The path of `name` in the open directory `dirFd`, as Node's functions take it. */
export function pathIn(dirFd: number, name: string): string | Buffer {
  const path = `${pathOfFd(dirFd)}/${name}`;
  return isRawText(name) ? bytesFromText(path) : path;
}

export interface HostTreeOptions {
  readonly native: Native | null;
  /** Whom remote callers act as, where this process is root; null: as this process. */
  readonly squash: Identity | null;
  /** Whom else they may ask to act as; null: nobody. */
  readonly userMap: UserMap | null;
  /** Whether what is mounted below is shown too. */
  readonly crossMounts: boolean;
}

/**
 * One real directory, held open, and everything below it. All ways down start at that descriptor and
 * follow no symlink, so that no path, link or race leads out of it: a directory is reached anew for each
 * operation (nothing is kept that could be moved out meanwhile), and its children by a single name.
 *
 * Everything here is synchronous: on a local disk these calls take microseconds, less than a trip
 * through the thread pool.
 */
export class HostTree {
  readonly rootFd: number;
  readonly native: Native | null;
  /** What this process's own umask takes from what it makes. */
  readonly umask = ownUmask();
  #closed = false;
  readonly #squash: Identity | null;
  readonly #userMap: UserMap | null;
  readonly #crossMounts: boolean;
  readonly #border: MountBorder;
  readonly #mayBecome: boolean;
  readonly #groups = new CallerGroups();
  /** Whose place this process has taken, within `run`. */
  #acting: Identity | undefined;

  /** @throws FsError ENOENT, ENOTDIR, EACCES as open(2) */
  constructor(path: string, { native, squash, userMap, crossMounts }: HostTreeOptions) {
    this.native = native;
    this.#squash = squash;
    this.#userMap = userMap;
    this.#crossMounts = crossMounts;
    this.#mayBecome = process.geteuid?.() === 0;
    try {
      this.rootFd = openSync(path, O_PATH | constants.O_DIRECTORY);
    } catch (thrown) {
      throw hostErrorFrom(thrown);
    }
    this.#border = new MountBorder(this.#lookAt(this.rootFd, ''), crossMounts);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#groups.close();
    closeSync(this.rootFd);
  }

  /** Whether this process is root and works for somebody who is not known to be. */
  actsFor({ caller }: Op): boolean {
    return this.#mayBecome && caller?.uid !== 0;
  }

  /** Whether `op` is a remote caller's that has all rights of root here, by the admin's own word. */
  isRemoteRoot(op: Op): boolean {
    return op.caller === undefined && this.#mayBecome && this.#remoteIdentity(op) === null;
  }

  /** Whether `op` may know of what only root may. */
  isRoot({ caller }: Op): boolean {
    return this.#mayBecome && caller?.uid === 0;
  }

  /**
   * Runs `work` with the rights of the process that called, or of the user that a remote caller acts as, where this
   * process is root and can take them on; everything it throws becomes an `FsError`. `work` must not await.
   */
  run<Result>(op: Op, work: () => Result): Result {
    if (this.#closed) throw new FsError('ESTALE', 'This export has been withdrawn.');
    const { caller } = op;
    try {
      if (caller === undefined) {
        const who = this.#remoteIdentity(op);
        return who === null || !this.#mayBecome ? work() : this.#runAs(who, work);
      }
      if (!this.#mayBecome || caller.uid === 0) return work();
      return this.#runAs({ ...caller, groups: this.#groups.of(caller.pid) }, work);
    } catch (thrown) {
      throw hostErrorFrom(thrown);
    }
  }

  /** @throws FsError EACCES for a user whom the session may not act as here */
  #remoteIdentity({ remoteUid, session }: Op): Identity | null {
    if (remoteUid === undefined) return this.#squash;
    if (this.#userMap !== null) return this.#userMap.identityOf(remoteUid, session);
    throw new FsError('EACCES', `Nobody may act as the user ${remoteUid} in this export.`, {
      hint: 'Its admin may allow it with :map= (docs/ADMIN.md); or leave --map-uid out of the mount.',
    });
  }

  #runAs<Result>(who: Identity, work: () => Result): Result {
    const { native } = this;
    if (native === null) {
      throw new FsError('EACCES', 'Only root may use this export.', {
        hint: 'Acting as another user needs the koffi package, which could not be loaded here.',
      });
    }
    try {
      native.become(who.uid, who.gid, who.groups);
      this.#acting = who;
      return work();
    } finally {
      this.#acting = undefined;
      native.becomeSelf();
    }
  }

  /**
   * Runs `work`, within `run`, with this process's own rights where it works for the user `uid`; else with those in
   * force. For what the host itself would do for that user.
   */
  asSelfFor<Result>(uid: number, work: () => Result): Result {
    const { native } = this;
    const acting = this.#acting;
    if (native === null || acting?.uid !== uid) return work();
    native.becomeSelf();
    try {
      return work();
    } finally {
      native.become(acting.uid, acting.gid, acting.groups);
    }
  }

  /** Runs `work`, within `run`, with this process's own rights: for what needs none of the caller's. */
  asSelf<Result>(work: () => Result): Result {
    return this.#acting === undefined ? work() : this.asSelfFor(this.#acting.uid, work);
  }

  /** Runs `work` with a descriptor of the directory `path` (names with `/` between; empty for the root). */
  withDir<Result>(path: string, work: (dirFd: number) => Result): Result {
    if (path === '') return work(this.rootFd);
    const fd = this.#openDir(path);
    try {
      // openat2 does not say what was crossed: the descriptor itself is looked at.
      if (this.#crossMounts) this.stat(fd, '');
      return work(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * The caller walked the way down, checked step by step; a caller that has a directory open goes on from there,
   * whatever has become of the rights on the way.
   */
  #openDir(path: string): number {
    try {
      return this.#openDirAsActing(path);
    } catch (thrown) {
      if (this.#acting === undefined || hostErrorFrom(thrown).code !== 'EACCES') throw thrown;
      return this.asSelf(() => this.#openDirAsActing(path));
    }
  }

  #openDirAsActing(path: string): number {
    const beneath = this.native?.openDirBeneath;
    if (beneath == null)
      return this.#openDirBySteps(path.split('/'), (fd, step) => this.#openDirIn(fd, step));
    const crossMounts = this.#crossMounts;
    if (path.length * 3 <= MAX_STEP_BYTES) return beneath(this.rootFd, path, crossMounts);
    return this.#openDirBySteps(stepsOf(path), (fd, step) => beneath(fd, step, crossMounts));
  }

  #openDirIn(dirFd: number, name: string): number {
    const fd = openSync(pathIn(dirFd, name), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      this.stat(fd, '');
      return fd;
    } catch (thrown) {
      closeSync(fd);
      throw thrown;
    }
  }

  #openDirBySteps(steps: readonly string[], openStep: (fd: number, step: string) => number): number {
    let fd = this.rootFd;
    for (const step of steps) {
      const from = fd;
      try {
        fd = openStep(from, step);
      } finally {
        if (from !== this.rootFd) closeSync(from);
      }
    }
    return fd;
  }

  /**
   * The attributes of `name` in a directory, of the directory itself for the empty name.
   * @throws FsError EXDEV where another filesystem is mounted there, which the export does not show
   */
  stat(dirFd: number, name: string): HostStat {
    const stat = this.#lookAt(dirFd, name);
    this.#border.check(stat);
    return stat;
  }

  /** As `stat`; undefined where there is no such name. */
  statIfThere(dirFd: number, name: string): HostStat | undefined {
    const stat = this.statAnywhere(dirFd, name);
    if (stat !== undefined) this.#border.check(stat);
    return stat;
  }

  /** As `statIfThere`, also of what the export does not show. */
  statAnywhere(dirFd: number, name: string): HostStat | undefined {
    if (this.native !== null) return this.native.statIfThere(dirFd, name);
    const found = lstatSync(pathIn(dirFd, name), { bigint: true, throwIfNoEntry: false });
    // Node says "not there" for a path through something that is no directory as well, which `dirFd` rules out.
    return found === undefined ? undefined : hostStatFromNode(found);
  }

  /** Whether what was found is beyond a mount point that the export ends at. */
  isBeyond(stat: HostStat): boolean {
    return this.#border.isBeyond(stat);
  }

  #lookAt(dirFd: number, name: string): HostStat {
    if (this.native !== null) return this.native.stat(dirFd, name);
    if (name === '') return hostStatFromNode(fstatSync(dirFd, { bigint: true }));
    return hostStatFromNode(lstatSync(pathIn(dirFd, name), { bigint: true }));
  }

  open(dirFd: number, name: string, flags: number, mode = 0): number {
    return openSync(pathIn(dirFd, name), flags | O_SAFE, mode);
  }
}

/** Cuts a long path into pieces that the kernel takes. */
function stepsOf(path: string): string[] {
  const steps: string[] = [];
  let step = '';
  for (const name of path.split('/')) {
    const longer = step === '' ? name : `${step}/${name}`;
    if (step !== '' && Buffer.byteLength(longer) > MAX_STEP_BYTES) {
      steps.push(step);
      step = name;
    } else {
      step = longer;
    }
  }
  steps.push(step);
  return steps;
}

/** @throws FsError EINVAL unless `name` is one name: the last line that keeps `..` and `/` from the system */
export function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw new FsError('EINVAL', `${JSON.stringify(name)} cannot be the name of a file.`);
}

/** By proc(5): umask(2) cannot read it without changing it. Unknown: as if it took all. */
function ownUmask(): number {
  const line = /^Umask:\s+([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  return line === undefined ? 0o777 : parseInt(line, 8);
}
