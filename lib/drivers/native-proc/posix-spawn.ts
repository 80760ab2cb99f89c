import { createRequire } from 'node:module';
import type { Handed } from './handed-file.js';

/** What a program is started with. */
export interface SpawnRequest {
  /** Where it is: no PATH is searched. */
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * Its descriptors, besides those of this process that are not close-on-exec. The others are left to exec: until
   * that, this thread stands still, and closing a file of a network's or one's own file system may take its time.
   */
  readonly descriptors: readonly Handed[];
}

/**
 * Starts a program as the leader of a session of its own, with no signal blocked, caught or ignored; its
 * pid, or null where it could not be started. The caller waits for its end.
 */
export type PosixSpawn = (request: SpawnRequest) => number | null;

const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
/** More than the C libraries need for any of their opaque structures here. */
const STRUCTURE_BYTES = 1024;
const POINTER_BYTES = 8;

let loaded: PosixSpawn | null | undefined;

/** Null where it cannot be had: another system, an old C library, no koffi for this platform. */
export function loadPosixSpawn(): PosixSpawn | null {
  if (loaded === undefined) loaded = process.platform === 'linux' ? tryLoad() : null;
  return loaded;
}

interface Koffi {
  load(path: null): { func(declaration: string): (...args: unknown[]) => number };
  address(value: Uint8Array): bigint;
  sizeof(type: string): number;
}

function tryLoad(): PosixSpawn | null {
  try {
    return bind(createRequire(import.meta.url)('koffi') as Koffi);
  } catch {
    // Optional by contract: without it, Node's own spawn starts programs.
    return null;
  }
}

/** @throws where the C library lacks one of the calls */
function bind(koffi: Koffi): PosixSpawn | null {
  if (koffi.sizeof('void *') !== POINTER_BYTES) return null;
  const libc = koffi.load(null);
  const posixSpawn = libc.func('int posix_spawn(void *pid, const char *path, void *actions, void *attributes, void *argv, void *envp)'); // prettier-ignore
  const initActions = libc.func('int posix_spawn_file_actions_init(void *actions)');
  const destroyActions = libc.func('int posix_spawn_file_actions_destroy(void *actions)');
  const addDup2 = libc.func('int posix_spawn_file_actions_adddup2(void *actions, int fd, int number)');
  const addClose = libc.func('int posix_spawn_file_actions_addclose(void *actions, int fd)');
  const addChdir = libc.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)');
  const attributes = spawnAttributes(libc);
  if (attributes === null) return null;

  const actions = Buffer.alloc(STRUCTURE_BYTES);
  const pid = new Int32Array(1);
  return ({ path, argv, env, cwd, descriptors }) => {
    if (initActions(actions) !== 0) return null;
    try {
      const { dups, closes } = planOf(descriptors);
      const isPlanned =
        dups.every(([number, fd]) => addDup2(actions, fd, number) === 0) &&
        closes.every((fd) => addClose(actions, fd) === 0) &&
        addChdir(actions, cwd) === 0;
      const words = textBlock(argv, koffi);
      const variables = textBlock(
        Object.entries(env).map((pair) => pair.join('=')),
        koffi,
      );
      if (!isPlanned || words === null || variables === null || `${path}${cwd}`.includes('\0')) return null;
      if (posixSpawn(pid, path, actions, attributes, words, variables) !== 0) return null;
      const [started = null] = pid;
      return started;
    } finally {
      destroyActions(actions);
    }
  };
}

/** A session of its own, no signal blocked and none ignored (Node ignores SIGPIPE); null where that cannot be had. */
function spawnAttributes(libc: ReturnType<Koffi['load']>): Buffer | null {
  const attributes = Buffer.alloc(STRUCTURE_BYTES);
  const none = Buffer.alloc(STRUCTURE_BYTES);
  // Not by sigfillset(3), which leaves out those that the C library uses itself and then ignores in the program.
  const all = Buffer.alloc(STRUCTURE_BYTES, 0xff);
  const flags = SETSIGDEF | SETSIGMASK | SETSID;
  const done = [
    libc.func('int posix_spawnattr_init(void *attributes)')(attributes),
    libc.func('int posix_spawnattr_setsigmask(void *attributes, void *set)')(attributes, none),
    libc.func('int posix_spawnattr_setsigdefault(void *attributes, void *set)')(attributes, all),
    libc.func('int posix_spawnattr_setflags(void *attributes, short flags)')(attributes, flags),
  ];
  return done.every((result) => result === 0) ? attributes : null;
}

/**
 * The order in which descriptors are put in their places, so that none is overwritten before it was copied: one that
 * lies where another belongs is copied away first, and that copy closed.
 */
function planOf(wanted: readonly Handed[]): { dups: readonly Handed[]; closes: readonly number[] } {
  const places = new Set(wanted.map(([number]) => number));
  let away = Math.max(...wanted.flat()) + 1;
  const copies: Handed[] = [];
  const moves: Handed[] = [];
  for (const [number, fd] of wanted) {
    if (places.has(fd)) {
      copies.push([away, fd]);
      moves.push([number, away++]);
    } else moves.push([number, fd]);
  }
  return { dups: [...copies, ...moves], closes: copies.map(([number]) => number) };
}

/**
 * Texts as C takes them: pointers, of which the last is null, and behind these what they point to. Null where a text
 * holds a NUL itself.
 */
function textBlock(texts: readonly string[], koffi: Koffi): Buffer | null {
  if (texts.some((text) => text.includes('\0'))) return null;
  const bytes = Buffer.from(`${texts.join('\0')}\0`);
  const head = (texts.length + 1) * POINTER_BYTES;
  const block = Buffer.allocUnsafeSlow(head + bytes.length);
  bytes.copy(block, head);
  const pointers = new BigUint64Array(block.buffer, 0, texts.length + 1);
  const start = koffi.address(block) + BigInt(head);
  for (let index = 0, at = 0; index < texts.length; index++) {
    pointers[index] = start + BigInt(at);
    at = bytes.indexOf(0, at) + 1;
  }
  pointers[texts.length] = 0n;
  return block;
}
