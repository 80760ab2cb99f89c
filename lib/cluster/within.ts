import type { FsError } from '../core/index.js';

/** What `asked` answers, unless it takes too long. */
export async function within<T>(asked: Promise<T>, withinMs: number, late: () => FsError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    // What has come by then is taken in first: this thread may have been busy for longer than that.
    timer = setTimeout(() => setImmediate(() => reject(late())), withinMs);
  });
  asked.catch(() => undefined);
  try {
    return await Promise.race([asked, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
