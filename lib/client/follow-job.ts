import { StringDecoder } from 'node:string_decoder';
import { FsError } from '../core/index.js';
import { stopIfAborted } from './give-up.js';
import { followProgress, followStream, type ShownProgress } from '../worldfs/index.js';
import type { JobStatus } from './job-status.js';
import type { Tree } from './tree.js';

/** What a job says while it runs, in order within each stream; `end` is the last. */
export type JobEvent =
  | { readonly type: 'stdout' | 'stderr'; readonly text: string }
  | { readonly type: 'progress'; readonly progress: ShownProgress }
  | { readonly type: 'end'; readonly status: JobStatus };

interface FollowedJob {
  readonly path: string;
  wait(options: { readonly signal: AbortSignal }): Promise<JobStatus>;
}

/**
 * Follows a job from its beginning to its end. Who leaves the loop early stops following; the job runs on.
 * @throws FsError ENOENT where it is not kept, the reason of `signal`
 */
export async function* followJob(
  tree: Tree,
  job: FollowedJob,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent, void> {
  stopIfAborted(signal);
  const left = new AbortController();
  const gaveUp = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  const ended = new AbortController();
  const over = AbortSignal.any([ended.signal, gaveUp]);
  const queue = new EventQueue();
  const streams = (['stdout', 'stderr'] as const).map((type) => {
    const decoder = new StringDecoder('utf8');
    return followStream(tree, `${job.path}/${type}`, over, (bytes) =>
      queue.push(type, decoder.write(Buffer.from(bytes))),
    ).then(() => queue.push(type, decoder.end()));
  });
  const progress = followProgress(tree, job.path, over, (shown) => {
    if (shown.updated_at !== null) queue.progress(shown);
  });
  const waited = job.wait({ signal: gaveUp }).finally(() => ended.abort());
  const all = Promise.all([waited, progress, ...streams]).then(
    ([status]) => queue.end(status),
    (thrown: unknown) => queue.fail(thrown),
  );
  try {
    yield* queue.events();
  } finally {
    left.abort(new FsError('ECANCELED', 'The job is no longer followed.'));
    await all;
    // Each of them ends by that; what they say about it is of no interest to who left.
    await Promise.allSettled([waited, progress, ...streams]);
  }
  stopIfAborted(signal);
}

/** Events between those who make them and the one who takes them. */
class EventQueue {
  #events: JobEvent[] = [];
  #failure: { readonly thrown: unknown } | undefined;
  #wake: () => void = () => undefined;

  push(type: 'stdout' | 'stderr', text: string): void {
    if (text !== '') this.#add({ type, text });
  }

  progress(progress: ShownProgress): void {
    this.#add({ type: 'progress', progress });
  }

  end(status: JobStatus): void {
    this.#add({ type: 'end', status });
  }

  fail(thrown: unknown): void {
    this.#failure = { thrown };
    this.#wake();
  }

  async *events(): AsyncGenerator<JobEvent, void> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
        if (event.type === 'end') return;
      } else if (this.#failure !== undefined) throw this.#failure.thrown;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #add(event: JobEvent): void {
    this.#events.push(event);
    this.#wake();
  }
}
