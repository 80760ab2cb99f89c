import { setTimeout as delay } from 'node:timers/promises';
import { FsError } from '../core/index.js';
import type { FileHandle } from '../vfs/index.js';
import { READ, openFile, readFrom, targetOf, type SeenTree } from './tree-files.js';

/** How often it is looked for a job that is not there yet, and at what a node cannot say that it changed. */
const LOOK_MS = 50;

/** What `progress.json` says. */
export interface ShownProgress {
  readonly done: number | null;
  readonly total: number | null;
  readonly message: string | null;
  readonly updated_at: string | null;
}

/** The path of the job with this `_key`, once there is one; null when it is `over` before. */
export async function jobWhenThere(tree: SeenTree, link: string, over: AbortSignal): Promise<string | null> {
  for (;;) {
    const isLast = over.aborted;
    try {
      return await targetOf(tree, link);
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
    }
    if (isLast) return null;
    await pause(over);
  }
}

/** Passes on what a job's `stdout` or `stderr` gets, as it comes, until the job has ended or it is `over`. */
export async function followStream(
  tree: SeenTree,
  path: string,
  over: AbortSignal,
  pass: (bytes: Uint8Array) => void,
): Promise<void> {
  const handle = await openFile(tree, path, READ);
  try {
    let at = 0;
    for (let isLast = false; ;) {
      for await (const bytes of readFrom(handle, tree.op(), at)) {
        at += bytes.length;
        pass(bytes);
      }
      if (isLast) return;
      isLast = !(await changes(tree, handle, at, over));
    }
  } finally {
    await handle.release();
  }
}

/** What of a job's `status.json` is of interest while it runs. */
export interface ShownStatus {
  readonly progress: ShownProgress | null;
  /** What its driver asks its caller, while it does. */
  readonly asks?: string;
}

/** Passes on how far a job is, each time that its driver says it. */
export function followProgress(
  tree: SeenTree,
  job: string,
  over: AbortSignal,
  show: (progress: ShownProgress) => void,
): Promise<void> {
  return followDocument(tree, `${job}/progress.json`, over, show);
}

/** Passes on how a job fares, each time that this changes. */
export function followStatus(
  tree: SeenTree,
  job: string,
  over: AbortSignal,
  show: (status: ShownStatus) => void,
): Promise<void> {
  return followDocument(tree, `${job}/status.json`, over, show);
}

async function followDocument<Shown>(
  tree: SeenTree,
  path: string,
  over: AbortSignal,
  show: (shown: Shown) => void,
): Promise<void> {
  for (let goesOn = true; goesOn;) {
    const handle = await openUnlessAbsent(tree, path);
    // An older node does not have each of them.
    if (handle === null) return;
    try {
      const parts: Uint8Array[] = [];
      for await (const bytes of readFrom(handle, tree.op())) parts.push(bytes);
      show(JSON.parse(Buffer.concat(parts).toString()) as Shown);
      goesOn = await changes(tree, handle, 0, over);
    } finally {
      await handle.release();
    }
  }
}

async function openUnlessAbsent(tree: SeenTree, path: string): Promise<FileHandle | null> {
  try {
    return await openFile(tree, path, READ);
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return null;
    throw thrown;
  }
}

/** Waits until there is more beyond `from`, or something else to read; false when nothing more is to be waited for. */
async function changes(
  tree: SeenTree,
  handle: FileHandle,
  from: number,
  over: AbortSignal,
): Promise<boolean> {
  if (over.aborted) return false;
  try {
    if (handle.awaitChange !== undefined) return await handle.awaitChange(from, tree.op(over));
  } catch (thrown) {
    if (isOver(over)) return false;
    if (FsError.from(thrown).code !== 'EOPNOTSUPP') throw thrown;
  }
  await pause(over);
  return true;
}

/** It may have come to that while something was awaited. */
const isOver = (over: AbortSignal): boolean => over.aborted;

async function pause(over: AbortSignal): Promise<void> {
  await delay(LOOK_MS, undefined, { signal: over }).catch(() => undefined); // cut short: it is over
}
