import { setMaxListeners } from 'node:events';
import { FsError, type Log } from '../../core/index.js';
import { effectiveUser } from '../../linux/index.js';
import type { Awaitable, Op } from '../../vfs/index.js';
import type { MountOptions } from '../binding.js';
import type { NativeReply } from './native-library.js';

/** After this long an operation that should be quick is answered ETIMEDOUT, so that nobody hangs on it. */
const QUICK_MS = 30_000;

/** The caller, as far as it is known: the kernel lets nobody else into this mount. */
const SELF = { ...effectiveUser(), pid: process.pid };

/**
 * The one place where requests are answered. Whatever a tree does (throws, rejects, answers twice or never),
 * the kernel gets exactly one answer: fuse-native would end the process, or hang the caller, otherwise.
 */
export class NativeRequests {
  readonly #options: Pick<MountOptions, 'sessionOf' | 'remoteUids' | 'log'>;
  readonly #ending = new AbortController();
  readonly #quickMs: number;

  constructor(options: Pick<MountOptions, 'sessionOf' | 'remoteUids' | 'log'>, quickMs = QUICK_MS) {
    this.#options = options;
    this.#quickMs = quickMs;
    setMaxListeners(0, this.#ending.signal);
  }

  /** Abandons what is waiting, now and later: the mount is going away. */
  end(): void {
    this.#ending.abort(new FsError('ECANCELED', 'The file system was unmounted.'));
  }

  /** Answers with what `work` gives, soon. */
  quick<T>(name: string, reply: NativeReply, work: (op: Op) => Awaitable<T>): void {
    this.#run(name, reply, work, this.#quickMs);
  }

  /** Answers with what `work` gives, however long that takes. */
  patient<T>(name: string, reply: NativeReply, work: (op: Op) => Awaitable<T>): void {
    this.#run(name, reply, work, 0);
  }

  #run<T>(name: string, reply: NativeReply, work: (op: Op) => Awaitable<T>, limitMs: number): void {
    let result: Awaitable<T>;
    try {
      result = work(this.#op());
    } catch (thrown) {
      this.#send(name, reply, this.#errnoOf(name, thrown));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#send(name, reply, 0, result);
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    let answered = false;
    const once = (errno: number, value?: T): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      this.#send(name, reply, errno, value);
    };
    if (limitMs > 0) timer = setTimeout(() => once(this.#errnoOf(name, late(name, limitMs))), limitMs);
    result.then(
      (value) => once(0, value),
      (thrown: unknown) => once(this.#errnoOf(name, thrown)),
    );
  }

  #op(): Op {
    const { sessionOf, remoteUids } = this.#options;
    return {
      session: sessionOf(undefined),
      signal: this.#ending.signal,
      caller: SELF,
      remoteUid: remoteUids?.get(SELF.uid),
    };
  }

  #send(name: string, reply: NativeReply, errno: number, value?: unknown): void {
    try {
      reply(errno, value);
    } catch (thrown) {
      // The value could not be passed on; fuse-native answers at the very end, so nothing has been sent.
      reply(this.#errnoOf(name, thrown));
    }
  }

  /** The negative errno for anything thrown. */
  #errnoOf(name: string, thrown: unknown): number {
    const error = FsError.from(thrown);
    if (error !== thrown && error.code === 'EIO') logUnexpected(this.#options.log, name, thrown);
    return -error.errno;
  }
}

function late(name: string, limitMs: number): FsError {
  return new FsError('ETIMEDOUT', `${name} was not answered within ${limitMs} ms.`);
}

function logUnexpected(log: Log, name: string, cause: unknown): void {
  try {
    log.error('A file operation failed unexpectedly.', { operation: name, cause });
  } catch {
    // A log that throws must not cost the caller its answer.
  }
}
