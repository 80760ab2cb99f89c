import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  asideName,
  controlIn,
  lockControl,
  mayBeOfControl,
  NODE_FORMAT,
  proveControl,
  replacedBy,
  takeControl,
} from '../control/index.js';
import { FsError } from '../core/index.js';
import {
  copyAsOf,
  FileLock,
  makeWorkingDir,
  newFilesIn,
  openStateDir,
  placeState,
  readArchive,
  removeWorkingDirs,
  SEGMENT_FORMAT,
  writeArchive,
} from '../disk/index.js';
import { KEYS_FORMAT, SERVICES_FORMAT } from '../services/index.js';
import { HISTORY_FORMAT } from './history/history-log.js';

const KIND = 'acheron-node';
/** Of the archive; what is in it has formats of its own. */
const FORMAT = 1;
const FORMATS: Readonly<Record<string, number>> = {
  node: NODE_FORMAT,
  services: SERVICES_FORMAT,
  jobs: SEGMENT_FORMAT,
  keys: KEYS_FORMAT,
  history: HISTORY_FORMAT,
};

/** As files of a node are called in a backup, whatever its `--state-file` is called. */
const STEM = 'node.json';
const LISTENER = `${STEM}.listen`;
/** What moves with a node, behind that stem. The rest is of a process, or of this machine, or can be made anew. */
const PARTS =
  /^(?:|\.runtime-services\.json|\.jobs|\.uids\.json|\.audit\.ndjson(?:\.(?:[1-9]\d*|sent|key))?|\.(?:history|reloads)\.ndjson|\.offers\.json|\.ca\.crt)$/;
/** Drafts, what was damaged, and what an earlier release had. */
const LEFT_OUT = /\.\d+\.tmp$|\.damaged-[^/]*$|^\.jobs\/[^/]+\/format\d+\.bak(?:$|\/)/;

/** Whether a file of a node is in its backup; `suffix`: behind the stem. */
const isPart = (suffix: string): boolean =>
  PARTS.test(suffix.split('/', 1)[0] ?? '') && !LEFT_OUT.test(suffix);

export interface NodePlace {
  /** The `--state-file` of the node; what belongs to it is beside it and begins with its name. */
  readonly stateFile: string;
  readonly nowMs: number;
}

/**
 * Writes all that a node keeps into one file, as it is at one instant, whether it runs or not, with the control plane that has the same
 * state directory, if there is one. What was at `file` is replaced as a whole. It holds secrets: keep it as you keep those.
 * @throws FsError ENOENT where there is no node
 */
export async function backUpNode(
  file: string,
  { stateFile, nowMs, release }: NodePlace & { readonly release: string },
): Promise<{ readonly withControl: boolean }> {
  const stateDir = dirname(stateFile);
  const list = (): string[] => filesOf(stateFile);
  if (!existsSync(stateDir) || list().length === 0)
    throw new FsError(
      'ENOENT',
      `${stateDir} has no node: nothing in it begins with ${basename(stateFile)}.`,
      {
        hint: 'Name its directory with --state-dir, or its file with --state-file. Of a control plane alone: acheron control backup.',
        path: stateDir,
      },
    );
  const dir = makeWorkingDir(dirname(file));
  try {
    const copied = await copyAsOf(stateDir, dir, list);
    const own = basename(stateFile);
    for (const name of readdirSync(dir))
      if (own !== STEM) renameSync(join(dir, name), join(dir, stemmed(own, name)));
    const listener = takeControl(`${stateFile}.listen`, join(dir, LISTENER));
    const control = takeControl(stateDir, dir);
    await writeArchive(file, {
      dir,
      names: [
        ...copied.map((name) => stemmed(own, name)),
        ...(listener?.names ?? []).map((name) => `${LISTENER}/${name}`),
        ...(control?.names ?? []),
      ],
      facts: {
        ...{ kind: KIND, format: FORMAT, release },
        ...Object.fromEntries(Object.entries(FORMATS).map(([what, format]) => [`${what}_format`, format])),
        made_at: new Date(nowMs).toISOString(),
      },
    });
    return { withControl: control !== undefined };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Makes the state of a node out of a backup, in a directory that has none. With `replace`, what is there is moved aside, whole; the
 * answer says when the backup was made, and where to. Nothing is changed unless the backup is whole and this release can use it, and
 * after a crash on the way the next start finds what was there, or the backup.
 * @throws FsError EBUSY while the node runs, EEXIST where there is one, EIO and EINVAL for what is no good backup
 */
export async function restoreNode(
  file: string,
  { stateFile, nowMs, replace }: NodePlace & { readonly replace: boolean },
): Promise<{ readonly madeAt: string; readonly aside: string | null; readonly withControl: boolean }> {
  const stateDir = dirname(stateFile);
  const own = basename(stateFile);
  openStateDir(stateDir, (name) => name.startsWith(own));
  const locks = [lockNode(stateFile)];
  try {
    removeWorkingDirs(stateDir);
    const ofNode = topNamesOf(stateFile);
    if (ofNode.length > 0 && !replace) throw present(stateDir, ofNode);
    const working = makeWorkingDir(stateDir);
    try {
      const dir = newFilesIn(working);
      const mayHold = (name: string): boolean =>
        mayBeOfControl(name) ||
        (name.startsWith(`${LISTENER}/`) && mayBeOfControl(name.slice(LISTENER.length + 1))) ||
        (name.startsWith(STEM) && isPart(name.slice(STEM.length)));
      const { facts, names } = await readArchive(file, { dir, kind: KIND, format: FORMAT, mayHold });
      requireFormats(file, facts);
      const withControl = names.some(mayBeOfControl);
      const ofControl = withControl ? controlIn(stateDir) : [];
      if (withControl) {
        locks.push(lockControl(stateDir));
        if (ofControl.length > 0 && !replace) throw present(stateDir, ofControl);
        proveControl(dir, file);
      }
      if (existsSync(join(dir, LISTENER))) proveControl(join(dir, LISTENER), file);
      for (const name of readdirSync(dir))
        if (name.startsWith(STEM) && own !== STEM)
          renameSync(join(dir, name), join(dir, own + name.slice(STEM.length)));
      const old = [...ofNode, ...replacedBy(ofControl, names)];
      const aside = old.length === 0 ? null : asideName(nowMs);
      placeState(stateDir, working, { old, aside });
      return {
        madeAt: String(facts['made_at']),
        aside: aside === null ? null : join(stateDir, aside),
        withControl,
      };
    } finally {
      rmSync(working, { recursive: true, force: true });
    }
  } finally {
    for (const lock of locks) lock.release();
  }
}

const stemmed = (own: string, name: string): string => STEM + name.slice(own.length);

function lockNode(stateFile: string): FileLock {
  const lock = FileLock.tryAcquire(`${stateFile}.lock`);
  if (lock === undefined)
    throw new FsError('EBUSY', `A node runs with the state file ${stateFile}.`, {
      hint: `End it first: acheron stop --state-dir ${dirname(stateFile)}`,
      path: stateFile,
    });
  return lock;
}

function present(stateDir: string, names: readonly string[]): FsError {
  return new FsError('EEXIST', `${stateDir} has state already: ${names.join(', ')}.`, {
    hint: 'To have that of the backup in its place, say --replace: what is there is moved aside. Or choose another --state-dir.',
    path: stateDir,
  });
}

function requireFormats(file: string, facts: Readonly<Record<string, string | number>>): void {
  for (const [what, format] of Object.entries(FORMATS)) {
    const found = facts[`${what}_format`];
    if (typeof found === 'number' && found <= format) continue;
    throw new FsError(
      'EINVAL',
      `${file} has ${what} of format ${String(found)}; this release reads up to ${format}.`,
      {
        hint: `Use Acheron ${String(facts['release'])} or later. Nothing was changed.`,
        path: file,
      },
    );
  }
}

/** What a node has at the top of its state directory, of what moves with it. */
function topNamesOf(stateFile: string): string[] {
  const own = basename(stateFile);
  return readdirSync(dirname(stateFile)).filter(
    (name) => name.startsWith(own) && (name === `${own}.listen` || isPart(name.slice(own.length))),
  );
}

/**
 * The files of a node but for its listener's, relative to the state directory, what is written last first: a node writes the record of a
 * job before that of its key, and that before the key's entry; the audit record of an act before the act; what there is to send before
 * how much of it was sent.
 */
function filesOf(stateFile: string): string[] {
  const own = basename(stateFile);
  const dir = dirname(stateFile);
  const files = readdirSync(dir)
    .filter((name) => name.startsWith(own) && isPart(name.slice(own.length)))
    .flatMap((name) => (statSync(join(dir, name)).isDirectory() ? filesBelow(dir, name) : [name]))
    .filter((name) => isPart(name.slice(own.length)));
  const ranked = files.map((name): [number, string] => [rankOf(name.slice(own.length)), name]);
  return ranked.sort(([a, one], [b, other]) => a - b || (one < other ? -1 : 1)).map(([, name]) => name);
}

function filesBelow(dir: string, top: string): string[] {
  return readdirSync(join(dir, top), { withFileTypes: true }).flatMap((entry) => {
    const name = `${top}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(dir, name);
    return entry.isFile() ? [name] : [];
  });
}

const ORDER = [/\.sent$/, /\/keys\/.*\.entries$/, /\/keys\//, /^\.jobs\//];

function rankOf(suffix: string): number {
  const rank = ORDER.findIndex((pattern) => pattern.test(suffix));
  if (rank >= 0) return rank;
  return suffix.startsWith('.audit.ndjson') ? ORDER.length + 1 : ORDER.length;
}
