import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { cleanEnvironment } from './mount-child.js';
import type { Order } from './onlooker-program.js';

/** A change of a directory: what is done, where, and with what (a text, a size or another path). */
export type Act = readonly [
  what:
    | 'write'
    | 'append'
    | 'patch'
    | 'truncate'
    | 'chmod'
    | 'unlink'
    | 'mkdir'
    | 'rmdir'
    | 'rename'
    | 'symlink'
    | 'link',
  path: string,
  how?: string,
];

export interface Look {
  /** What to look at: files, links, and directories with all that is in them. */
  readonly paths: readonly string[];
  /** Directories whose names are enough. */
  readonly namesIn?: readonly string[];
  /** Whether files are opened before they are asked for their size, or after. */
  readonly openFirst: boolean;
  /** A path below the first of `paths` to keep open, or to stand in, from now on. */
  readonly hold?: string;
}

/** What was seen: a text, a link's target, a directory's entries, or what went wrong. */
export type Seen = string | { readonly [name: string]: Seen };

/** Another process that changes a mount and looks at it. */
export class Onlooker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static start(t: Test): Onlooker {
    const program = fileURLToPath(new URL('onlooker-program.js', import.meta.url));
    const child = fork(program, [], { env: cleanEnvironment(), execArgv: [] });
    t.teardown(() => child.kill('SIGKILL'));
    return new Onlooker(child);
  }

  /** Gives the errno's name where it fails, or `done`. */
  act(root: string, what: Act): Promise<string> {
    return this.#order({ act: what, root }) as Promise<string>;
  }

  look(what: Look): Promise<Record<string, Seen>> {
    return this.#order({ look: what }) as Promise<Record<string, Seen>>;
  }

  async #order(order: Order): Promise<unknown> {
    const answered = once(this.#child, 'message');
    this.#child.send(order);
    const [answer] = (await answered) as [unknown];
    return answer;
  }
}

export function act(root: string, [what, path, how = '']: Act): void {
  const at = join(root, path);
  switch (what) {
    case 'write':
      return fs.writeFileSync(at, how);
    case 'append':
      return fs.appendFileSync(at, how);
    case 'patch': {
      const fd = fs.openSync(at, 'r+');
      fs.writeSync(fd, how, 1);
      return fs.closeSync(fd);
    }
    case 'truncate':
      return fs.truncateSync(at, Number(how));
    case 'chmod':
      return fs.chmodSync(at, Number.parseInt(how, 8));
    case 'unlink':
      return fs.unlinkSync(at);
    case 'mkdir':
      return fs.mkdirSync(at);
    case 'rmdir':
      return fs.rmdirSync(at);
    case 'rename':
      return fs.renameSync(at, join(root, how));
    case 'symlink':
      return fs.symlinkSync(how, at);
    case 'link':
      return fs.linkSync(join(root, how), at);
  }
}

export function look({ paths, namesIn = [], openFirst }: Look): Record<string, Seen> {
  return Object.fromEntries([
    ...paths.map((path) => [path, seenAt(path, openFirst)] as const),
    ...namesIn.map((path) => [path, namesAt(path)] as const),
  ]);
}

function namesAt(path: string): Seen {
  try {
    return fs.readdirSync(path).sort().join(' ');
  } catch (thrown) {
    return `error: ${(thrown as NodeJS.ErrnoException).code}`;
  }
}

function seenAt(path: string, openFirst: boolean): Seen {
  try {
    const early = openFirst ? undefined : fs.lstatSync(path);
    if (early === undefined) {
      // A path that is no file is known by what opening it says.
      const text = textAt(path);
      if (text !== undefined) return fileSeen(fs.lstatSync(path), text);
    }
    const stat = early ?? fs.lstatSync(path);
    if (stat.isSymbolicLink()) return `-> ${fs.readlinkSync(path)}`;
    if (!stat.isDirectory()) return fileSeen(stat, fs.readFileSync(path, 'utf8'));
    const names = fs.readdirSync(path).sort();
    return Object.fromEntries(names.map((name) => [name, seenAt(join(path, name), openFirst)]));
  } catch (thrown) {
    return `error: ${(thrown as NodeJS.ErrnoException).code}`;
  }
}

/** Undefined where the path is a directory or a link. */
function textAt(path: string): string | undefined {
  let fd;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ELOOP') return undefined;
    throw thrown;
  }
  try {
    return fs.fstatSync(fd).isDirectory() ? undefined : fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}

function fileSeen(stat: fs.Stats, text: string): string {
  const torn = stat.size === Buffer.byteLength(text) ? '' : ` (its size is said to be ${stat.size})`;
  return `${(stat.mode & 0o777).toString(8)} ${stat.nlink} ${text}${torn}`;
}
