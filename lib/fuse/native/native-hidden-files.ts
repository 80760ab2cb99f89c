import type { OpenFile } from './native-open-files.js';

const HIDDEN_NAME = /\/\.fuse_hidden[0-9a-f]{16}$/;

/**
 * Files that were removed while open. libfuse 2 keeps them reachable by path: it renames such a file to
 * `.fuse_hidden…` in its directory and unlinks that after the last close. A tree has no use for such names
 * (its descriptors live on by themselves), so the rename becomes the unlink that was meant, and the name is
 * remembered here for what libfuse still asks about it.
 */
export class HiddenFiles {
  readonly #byPath = new Map<string, OpenFile>();

  /** Whether a rename is libfuse putting an open file out of sight. */
  static isHiding(from: string, to: string): boolean {
    return HIDDEN_NAME.test(to) && from.slice(0, from.lastIndexOf('/')) === to.slice(0, to.lastIndexOf('/'));
  }

  get(path: string): OpenFile | undefined {
    return this.#byPath.size === 0 ? undefined : this.#byPath.get(path);
  }

  add(path: string, file: OpenFile): void {
    this.#byPath.set(path, file);
  }

  /** Whether `path` was one of them. */
  forget(path: string): boolean {
    return this.#byPath.delete(path);
  }

  /** A directory (or what it is) was renamed: what is hidden in it goes along. */
  moved(from: string, to: string): void {
    for (const [path, file] of [...this.#byPath]) {
      if (!path.startsWith(`${from}/`)) continue;
      this.#byPath.delete(path);
      this.#byPath.set(to + path.slice(from.length), file);
    }
  }
}
