import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';
import { follow } from '../wire/follow.js';

/** What `progress.json` says. */
interface Said {
  readonly done: number | null;
  readonly total: number | null;
  readonly message: string | null;
}

interface Props {
  readonly files: FilesLink;
  readonly path: string;
  readonly isRunning: boolean;
}

/** How far a job is, as its driver says it; nothing where it says nothing. */
export function Progress({ files, path, isRunning }: Props): JSX.Element | null {
  const [said, setSaid] = useState<Said | null>(null);
  useEffect(() => {
    const following = new AbortController();
    setSaid(null);
    follow(files, path, {
      isGrowing: () => true,
      over: following.signal,
      isDocument: true,
      take: async (opened) => {
        const text = new TextDecoder().decode(await opened.read(0));
        if (!following.signal.aborted) setSaid(JSON.parse(text) as Said);
        return 0;
      },
    }).catch((thrown: unknown) => {
      // An older node has no such file; what else is wrong with the job is shown beside it.
      if (!following.signal.aborted && Fault.from(thrown).code !== 'ENOENT') setSaid(null);
    });
    return () => following.abort();
  }, [files, path]);
  if (said === null || said.done === null) return null;
  const { done, total, message } = said;
  const part = total === null ? null : Math.min(1, done / total);
  return (
    <div class="progress">
      {part === null ? (
        isRunning && <progress aria-label="Progress" />
      ) : (
        <progress aria-label="Progress" max={1} value={part} />
      )}
      <span class="mono">{part === null ? String(done) : `${Math.floor(part * 100)} %`}</span>
      {message !== null && <span class="faint">{message}</span>}
    </div>
  );
}
