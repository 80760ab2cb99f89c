import { watch, type FSWatcher } from 'node:fs';
import { FsError, dropOldest } from '../../core/index.js';
import { textFromBytes } from '../../linux/index.js';
import type { ExportDir } from './export-dir.js';
import type { ExportState } from './export-state.js';
import { hostErrorFrom } from './host-error.js';
import { differs } from './host-stat.js';
import { pathOfFd } from './host-tree.js';

/** Watches set up in one turn of the event loop, so that walking a huge tree does not wait for them. */
const ARMED_AT_ONCE = 8;
/** Events are gathered this long: one save of an editor is many. */
const GATHER_MS = 10;
/**
 * As many events are heard between two turns of the event loop. The system hands them over for as long as there are
 * any, so one that renames without end would keep this process from everything else: the directories of further ones
 * are let go of for a while.
 */
const MAX_EVENTS_AT_ONCE = 2_048;
const QUIET_MS = 1_000;
/** How long an event about a name is taken for the echo of our own change. */
const ECHO_MS = 1_000;
const MAX_ECHOES = 4_096;
/** The system has no more watches to give: there is no point in asking again. */
const EXHAUSTED = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM']);

/**
 * Makes what others change in the real directory heard: inotify on the directories that were used last,
 * never more than `max`, however large the tree. A directory that has fallen out, or could not be
 * watched, is right again when a cache's own time is up, as freshness `shared` says.
 */
export class DirWatch {
  readonly #state: ExportState;
  readonly #max: number;
  readonly #watched = new Map<ExportDir, FSWatcher>();
  readonly #wanted = new Set<ExportDir>();
  readonly #events = new Map<ExportDir, Map<string, 'entry' | 'content'>>();
  /** Directories in which too much happened, and until when they are not watched. */
  readonly #loud = new WeakMap<ExportDir, number>();
  #heardAtOnce = 0;
  readonly #own = new Map<string, number>();
  #last: ExportDir | undefined;
  #arming: NodeJS.Immediate | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #off: boolean;

  constructor(state: ExportState, max: number) {
    this.#state = state;
    this.#max = max;
    this.#off = max === 0;
  }

  /** The directories that are watched at present. */
  get size(): number {
    return this.#watched.size;
  }

  /** Somebody looked into `dir`. */
  touch(dir: ExportDir): void {
    if (this.#off || dir === this.#last || this.#state.changes.size === 0) return;
    if ((this.#loud.get(dir) ?? 0) > Date.now()) return;
    this.#last = dir;
    const watcher = this.#watched.get(dir);
    if (watcher !== undefined) {
      this.#watched.delete(dir);
      this.#watched.set(dir, watcher);
      return;
    }
    dropOldest(this.#wanted, this.#max - 1);
    this.#wanted.add(dir);
    this.#arming ??= setImmediate(() => this.#arm()).unref();
  }

  /** The next event about `name` is the echo of what this process did itself. */
  ignoreOwn(dir: ExportDir, name: string): void {
    if (!this.#watched.has(dir)) return;
    if (this.#own.size >= MAX_ECHOES) this.#own.clear();
    this.#own.set(`${dir.ino}/${name}`, Date.now());
  }

  close(): void {
    this.#off = true;
    clearImmediate(this.#arming);
    clearTimeout(this.#gathering);
    for (const watcher of this.#watched.values()) watcher.close();
    this.#watched.clear();
    this.#wanted.clear();
    this.#events.clear();
  }

  #arm(): void {
    this.#arming = undefined;
    for (let i = 0; i < ARMED_AT_ONCE && !this.#off; i++) {
      const dir = firstOf(this.#wanted);
      if (dir === undefined) return;
      this.#wanted.delete(dir);
      this.#watch(dir);
    }
    if (this.#wanted.size > 0) this.#arming = setImmediate(() => this.#arm()).unref();
  }

  #watch(dir: ExportDir): void {
    const oldest = firstOf(this.#watched.keys());
    if (this.#watched.size >= this.#max && oldest !== undefined) this.#unwatch(oldest);
    const { tree } = this.#state;
    try {
      const watcher = tree.withDir(dir.path, (fd) =>
        watch(pathOfFd(fd), { persistent: false, encoding: 'buffer' }),
      );
      watcher.on('change', (type, bytes) => {
        // Where an event has no name, it is null, though Node's types say otherwise.
        const name = bytes as Buffer | null;
        if (name !== null) this.#heard(dir, textFromBytes(name), type === 'rename' ? 'entry' : 'content');
      });
      watcher.on('error', () => this.#unwatch(dir));
      this.#watched.set(dir, watcher);
    } catch (thrown) {
      const error = hostErrorFrom(thrown);
      if (!EXHAUSTED.has(error.code)) return;
      this.#off = true;
      this.#state.log.warn(
        'No more directories can be watched: changes made by others show a moment later.',
        {
          error: error.message,
          watched: this.#watched.size,
        },
      );
    }
  }

  #unwatch(dir: ExportDir): void {
    this.#watched.get(dir)?.close();
    this.#watched.delete(dir);
    if (this.#last === dir) this.#last = undefined;
  }

  #heard(dir: ExportDir, name: string, what: 'entry' | 'content'): void {
    if (++this.#heardAtOnce > MAX_EVENTS_AT_ONCE) this.#silence(dir);
    let names = this.#events.get(dir);
    if (names === undefined) this.#events.set(dir, (names = new Map<string, 'entry' | 'content'>()));
    if (what === 'entry' || !names.has(name)) names.set(name, what);
    this.#gathering ??= setTimeout(() => this.#report(), GATHER_MS).unref();
  }

  /** What it shows is right again when a cache's own time is up, as for a directory that is not watched. */
  #silence(dir: ExportDir): void {
    this.#unwatch(dir);
    this.#loud.set(dir, Date.now() + QUIET_MS);
    const { changes } = this.#state;
    changes.emit({ what: 'data', ino: dir.ino });
  }

  #report(): void {
    this.#gathering = undefined;
    this.#heardAtOnce = 0;
    const events = [...this.#events];
    this.#events.clear();
    for (const [dir, names] of events) {
      try {
        this.#reportOf(dir, names);
      } catch (thrown) {
        if (!FsError.is(thrown) && hostErrorFrom(thrown).code === 'EIO') throw thrown;
        // The directory is gone, or is no longer below the export: not ours to watch.
        this.#unwatch(dir);
      }
    }
  }

  #reportOf(dir: ExportDir, names: ReadonlyMap<string, 'entry' | 'content'>): void {
    const { tree, nodes, changes } = this.#state;
    const found = tree.withDir(dir.path, (fd) => {
      if (!dir.is(tree.stat(fd, ''))) return undefined;
      return [...names].map(([name, what]) => ({ name, what, stat: tree.statAnywhere(fd, name) }));
    });
    if (found === undefined) return this.#unwatch(dir);
    for (const { name, what, stat } of found) {
      const own = `${dir.ino}/${name}`;
      const echo = this.#own.get(own);
      if (echo !== undefined && Date.now() - echo > ECHO_MS) this.#own.delete(own);
      else if (echo !== undefined && what === 'entry') continue;
      if (what === 'entry') changes.emit({ what, ino: dir.ino, name });
      if (stat === undefined) continue;
      const node = nodes.get(this.#state.inoOf(stat));
      // What is open for writing here changes by our own hand; its release reports that.
      if (node === undefined || !node.is(stat) || node.openForWriting > 0) continue;
      if (!differs(node.seen, stat)) continue;
      node.seen = stat;
      changes.emit({ what: 'data', ino: node.ino });
    }
  }
}

function firstOf<Item>(items: Iterable<Item>): Item | undefined {
  for (const item of items) return item;
  return undefined;
}
