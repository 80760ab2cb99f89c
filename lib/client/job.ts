import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import { namesOfPath } from '../vfs/index.js';
import { readJson, readText, writeFile } from '../worldfs/index.js';
import { stopIfAborted } from './give-up.js';
import { followJob, type JobEvent } from './follow-job.js';
import type { JobStatus } from './job-status.js';
import type { Tree } from './tree.js';

export interface WaitOptions {
  /** Gives up waiting; the job runs on. */
  readonly signal?: AbortSignal | undefined;
  /** How long at most. Default: until it has ended. */
  readonly timeoutMs?: number | undefined;
}

/** The longest that a `wait` file takes, a day. */
const LONGEST_MS = 86_400_000;

/** One call of a service, wherever it was begun. */
export class Job<Output = JsonObject> {
  /** Its folder in the tree. */
  readonly path: string;
  readonly #tree: Tree;

  /** @internal */
  constructor(tree: Tree, path: string) {
    this.#tree = tree;
    this.path = path;
  }

  /** The invocation id, by which `client.job` finds it again. */
  get id(): string {
    return namesOfPath(this.path).at(-1) ?? '';
  }

  /** How it is now. @throws FsError ENOENT once it is no longer kept */
  status(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<JobStatus> {
    return readJson<JobStatus>(this.#tree, `${this.path}/status.json`, options.signal);
  }

  /**
   * Waits until it has ended.
   * @throws FsError ETIMEDOUT when it has not within `timeoutMs`, ECANCELED (or the reason of `signal`)
   */
  async wait({ signal, timeoutMs }: WaitOptions = {}): Promise<JobStatus> {
    const endMs = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const leftMs = Math.max(0, endMs - performance.now());
      const turnMs = Math.min(leftMs, LONGEST_MS);
      const seconds = Buffer.from(`${(turnMs / 1000).toFixed(3)}\n`);
      try {
        await writeFile(this.#tree, `${this.path}/wait`, seconds, signal);
        return await this.status({ signal });
      } catch (thrown) {
        stopIfAborted(signal);
        if (FsError.from(thrown).code !== 'ETIMEDOUT' || turnMs === leftMs) throw thrown;
      }
    }
  }

  /**
   * Waits until it has ended, and answers with its result.
   * @throws FsError with the errno of the call where it failed; as `wait` does
   */
  async result(options: WaitOptions = {}): Promise<Output> {
    return JSON.parse(await this.resultText(options)) as Output;
  }

  /** The same as text, for numbers that a double cannot hold. */
  async resultText(options: WaitOptions = {}): Promise<string> {
    const status = await this.wait(options);
    if (status.state === 'ok') return readText(this.#tree, `${this.path}/result.json`, options.signal);
    throw failureFrom(status);
  }

  /** What it prints and how far it is, as it comes; at last how it ended. */
  follow(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<JobEvent, void> {
    return followJob(this.#tree, this, options.signal);
  }

  /** Ends it, and its processes. @throws FsError ESRCH where it has ended already */
  async cancel(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await writeFile(this.#tree, `${this.path}/cancel`, Buffer.from('1\n'), options.signal);
  }
}

/** What a call that failed is thrown as. */
export function failureFrom({ errno, error }: Pick<JobStatus, 'errno' | 'error'>): FsError {
  return new FsError(errno ?? 'EIO', error ?? 'It failed.');
}

/**
 * What a descriptor that wrote a request reads after a failure: the status of the call, or why it was refused. Null
 * where it is neither.
 */
export function failureFromReply(reply: unknown): FsError | null {
  if (!isJsonObject(reply)) return null;
  const error = ownValue(reply, 'error');
  const errno = ownValue(reply, 'errno');
  if (typeof error === 'string' && typeof errno === 'string')
    return failureFrom({ errno: errno as FsError['code'], error });
  if (!isJsonObject(error)) return null;
  const { errno: code, message, hint } = error;
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  return new FsError(code as FsError['code'], message, typeof hint === 'string' ? { hint } : {});
}
