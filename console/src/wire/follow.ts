import { Fault } from './fault.js';
import type { FilesLink, OpenFile } from './files.js';

interface Follower {
  /** Whether more is to be expected. */
  readonly isGrowing: () => boolean;
  /** Aborts when nobody looks any more. */
  readonly over: AbortSignal;
  /** Reads what is new; answers up to where it has read. */
  readonly take: (opened: OpenFile) => Promise<number>;
  /** A document, which is opened anew for its next content. */
  readonly isDocument?: boolean;
}

/** How long is waited before another look where nobody notices changes (an older node), or the connection is away. */
const LOOK_MS = 250;

/** Takes what a file of a job holds, and again each time that there is news of it, until there will be none. @throws Fault */
export async function follow(files: FilesLink, path: string, follower: Follower): Promise<void> {
  const { isGrowing, over, take, isDocument = false } = follower;
  let opened: OpenFile | null = null;
  const close = (): void => {
    opened?.close();
    opened = null;
  };
  over.addEventListener('abort', close);
  try {
    for (let isLast = false; !over.aborted;) {
      try {
        opened ??= await files.open(path, 'r');
        if (isOver(over)) return;
        const at = await take(opened);
        if (isLast) return;
        isLast = !(await hasNews(opened, at, isGrowing));
        if (isDocument) close();
      } catch (thrown) {
        if (isOver(over)) return;
        if (Fault.from(thrown).code !== 'EHOSTDOWN' || !isGrowing()) throw thrown;
        // It goes on where it was once the connection is back.
        opened = null;
        await pause();
      }
    }
  } finally {
    over.removeEventListener('abort', close);
    close();
  }
}

/** It may have come to that while something was awaited. */
const isOver = (over: AbortSignal): boolean => over.aborted;

/** Waits for news; false when there will be none. */
async function hasNews(opened: OpenFile, at: number, isGrowing: () => boolean): Promise<boolean> {
  try {
    return await opened.changed(at);
  } catch (thrown) {
    if (!UNKNOWN.has(Fault.from(thrown).code)) throw thrown;
  }
  if (!isGrowing()) return false;
  await pause();
  return true;
}

/** What is answered where the other side, or the node behind it, cannot say that something changed. */
const UNKNOWN: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOSYS', 'unsupported_type']);

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
