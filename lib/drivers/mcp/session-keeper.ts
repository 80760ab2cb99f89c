import { FsError, type Clock } from '../../core/index.js';
import { backoffMs } from '../backoff.js';
import { FaultState } from '../fault-state.js';
import { driverClosed } from '../outcome.js';
import type { McpSession } from './session.js';

const MAX_FAILED_STARTS = 5;
/** A call waits for a start that is at most so far off; else it fails at once. */
const WORTH_WAITING_MS = 1_000;
/** It has lived so long: its end is no failed start. */
const LONG_LIFE_MS = 10_000;

export interface KeeperOptions {
  /** `signal` abandons it: nothing is left of it then. */
  readonly open: (signal: AbortSignal) => Promise<McpSession>;
  readonly clock: Clock;
  /** Begins a new conversation when one ended, without waiting for a call. */
  readonly isKept: boolean;
  /** Ends trying after some failed starts in a row, until `restart`. */
  readonly givesUp: boolean;
  readonly onOpen?: (session: McpSession) => void;
}

/**
 * Keeps one conversation with a server: begins it when it is asked for, and again, after a growing pause, when it
 * ended. What was asked of one that ended is never asked again.
 */
export class SessionKeeper {
  readonly faults = new FaultState();
  readonly #options: KeeperOptions;
  #session: McpSession | null = null;
  #opening: Promise<McpSession> | null = null;
  #abandon = new AbortController();
  #failures = 0;
  #nextStartAt: number | null = null;
  #callOffStart: (() => void) | undefined;
  #isClosed = false;
  #usedAtMs: number;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#usedAtMs = options.clock.now();
  }

  get session(): McpSession | null {
    return this.#session;
  }

  /** When it was last asked for. */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  /**
   * The conversation, begun where there is none.
   * @throws FsError with why there is none, at once where the next start is far off
   */
  async get(): Promise<McpSession> {
    this.#usedAtMs = this.#options.clock.now();
    if (this.#session !== null) return this.#session;
    if (this.#isClosed) throw driverClosed();
    const waitMs = this.#nextStartAt === null ? 0 : this.#nextStartAt - this.#options.clock.now();
    const { current } = this.faults;
    if (current !== null && (this.#hasGivenUp || waitMs > WORTH_WAITING_MS)) throw current;
    if (waitMs > 0) await new Promise<void>((resolve) => this.#options.clock.after(waitMs, resolve));
    // Meanwhile somebody else may have begun one.
    return this.session ?? this.#open();
  }

  /** Begins one without anybody waiting for it. */
  begin(): void {
    if (this.#session === null && !this.#isClosed) this.#open().catch(() => undefined);
  }

  /** Ends the conversation; the next begins at once where it is kept, else when it is asked for. */
  async restart(): Promise<void> {
    this.#callOffStart?.();
    await this.#end();
    this.#callOffStart?.();
    this.#nextStartAt = null;
    this.#failures = 0;
    this.faults.set(null);
    if (this.#options.isKept) this.begin();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOffStart?.();
    await this.#end();
  }

  /** Ends the conversation, also one that has not begun yet. */
  async #end(): Promise<void> {
    this.#abandon.abort();
    this.#abandon = new AbortController();
    const begun = await this.#opening?.catch(() => null);
    const session = begun ?? this.#session;
    this.#session = null;
    await session?.close();
  }

  get #hasGivenUp(): boolean {
    return this.#options.givesUp && this.#failures >= MAX_FAILED_STARTS;
  }

  #open(): Promise<McpSession> {
    this.#opening ??= this.#start().finally(() => (this.#opening = null));
    return this.#opening;
  }

  async #start(): Promise<McpSession> {
    this.#callOffStart?.();
    this.#nextStartAt = null;
    try {
      const session = await this.#options.open(this.#abandon.signal);
      this.#opened(session);
      return session;
    } catch (thrown) {
      this.#failed(FsError.from(thrown));
      throw this.faults.current ?? thrown;
    }
  }

  #opened(session: McpSession): void {
    this.#session = session;
    const { clock } = this.#options;
    const startedAtMs = clock.now();
    this.faults.set(null);
    void session.ended.then((why) => {
      if (this.#session !== session) return;
      this.#session = null;
      if (why === null || this.#isClosed) return;
      // What has worked once is tried again as if for the first time.
      if (session.hasAnswered || clock.now() - startedAtMs >= LONG_LIFE_MS) this.#failures = 0;
      this.#failed(why);
    });
    this.#options.onOpen?.(session);
  }

  #failed(why: FsError): void {
    if (this.#isClosed) return;
    this.#failures++;
    if (this.#hasGivenUp)
      return this.faults.set(
        new FsError(
          'EIO',
          `The MCP server failed ${this.#failures} times in a row and is not started again. ${why.message}`,
          {
            hint: 'Mend it, then write to control/restart.',
            cause: why,
          },
        ),
      );
    const delayMs = backoffMs(this.#failures);
    this.faults.set(why);
    this.#nextStartAt = this.#options.clock.now() + delayMs;
    if (this.#options.isKept) this.#callOffStart = this.#options.clock.after(delayMs, () => this.begin());
  }
}
