import { closeSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { FsError } from '../../core/index.js';
import { textFromBytes } from '../../linux/index.js';
import type { Awaitable, DirEntry, Op } from '../../vfs/index.js';
import type { ExportState } from './export-state.js';
import { kindOf, specialOf, type HostStat } from './host-stat.js';
import { pathOfFd } from './host-tree.js';
import type { Native } from './native.js';

const DT_UNKNOWN = 0;
/** As many records are read in one go; between two goes others get their turn. */
const BATCHES_AT_ONCE = 4;
/** No more entries are read: renames in a directory while it is read can make it endless on some filesystems. */
const MAX_ENTRIES = 1_000_000;
const buffer = Buffer.alloc(64 * 1024);

/** All entries of the open directory `fd`, which is closed when they are read. */
export function readDir(state: ExportState, fd: number, op: Op): Awaitable<readonly DirEntry[]> {
  const { native } = state.tree;
  if (native === null) {
    try {
      return entriesByName(state, fd);
    } finally {
      closeSync(fd);
    }
  }
  const entries: DirEntry[] = [];
  let more = false;
  try {
    more = !readBatches(state, native, fd, entries);
  } finally {
    if (!more) closeSync(fd);
  }
  return more ? readRest(state, native, fd, entries, op) : entries;
}

async function readRest(
  state: ExportState,
  native: Native,
  fd: number,
  entries: DirEntry[],
  { signal }: Op,
): Promise<readonly DirEntry[]> {
  try {
    do {
      await setImmediate();
      signal.throwIfAborted();
      if (entries.length > MAX_ENTRIES) throw tooMany();
    } while (!readBatches(state, native, fd, entries));
  } finally {
    closeSync(fd);
  }
  return entries;
}

/** True when the end was reached. Records are `struct linux_dirent64`: ino 8, offset 8, length 2, type 1, name. */
function readBatches(state: ExportState, native: Native, fd: number, entries: DirEntry[]): boolean {
  const dev = state.tree.stat(fd, '').dev;
  for (let batch = 0; batch < BATCHES_AT_ONCE; batch++) {
    const filled = native.getdents(fd, buffer);
    if (filled === 0) return true;
    for (let at = 0; at < filled; at += buffer.readUInt16LE(at + 16)) {
      const nameAt = at + 19;
      const nameEnd = buffer.indexOf(0, nameAt);
      const name = textFromBytes(buffer, nameAt, nameEnd);
      if (name === '.' || name === '..') continue;
      const type = buffer.readUInt8(at + 18);
      const found =
        type === DT_UNKNOWN
          ? state.tree.statAnywhere(fd, name)
          : { dev, ino: buffer.readBigUInt64LE(at), type: type << 12 }; // DT_* are S_IF* without the zeros
      if (found !== undefined) entries.push(entryOf(state, name, found));
    }
  }
  return false;
}

function tooMany(): FsError {
  return new FsError('EOVERFLOW', `The directory has more than ${MAX_ENTRIES} entries.`, {
    hint: 'Look names up one by one, or list it on the machine itself.',
  });
}

function entryOf(state: ExportState, name: string, found: Pick<HostStat, 'dev' | 'ino' | 'type'>): DirEntry {
  const special = specialOf(found);
  const entry = { name, ino: state.inoOf(found), kind: kindOf(found) };
  return special === undefined ? entry : { ...entry, special };
}

function entriesByName(state: ExportState, fd: number): DirEntry[] {
  const entries: DirEntry[] = [];
  for (const bytes of readdirSync(pathOfFd(fd), 'buffer')) {
    const name = textFromBytes(bytes);
    const stat = state.tree.statAnywhere(fd, name);
    if (stat !== undefined) entries.push(entryOf(state, name, stat));
  }
  return entries;
}
