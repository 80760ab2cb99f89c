import { canonicalJson, FsError, type JsonObject } from '../../core/index.js';
import type { DriverContext } from '../driver-context.js';
import { FaultState } from '../fault-state.js';
import type { McpSession } from './session.js';

/** Between two looks: a server that changes its list all the time is not asked all the time. */
const PAUSE_MS = 1_000;
const RETRY_MS = 5_000;

/** Asks a server what it offers, once it says that this may have changed, and reports what is other than before. */
export class ListFollower {
  readonly #session: () => McpSession | null;
  readonly #report: (offers: JsonObject) => void;
  readonly #context: Pick<DriverContext, 'clock' | 'log'>;
  /** Why it is not known what the server offers now. */
  readonly faults = new FaultState();
  #current: JsonObject | null = null;
  #text = '';
  #isLooking = false;
  #isOutdated = false;
  #lookedAtMs = -Infinity;
  #callOff: (() => void) | undefined;
  #isClosed = false;

  constructor(
    session: () => McpSession | null,
    report: (offers: JsonObject) => void,
    context: Pick<DriverContext, 'clock' | 'log'>,
  ) {
    this.#session = session;
    this.#report = report;
    this.#context = context;
  }

  /** What it said last; null before it said anything. */
  get current(): JsonObject | null {
    return this.#current;
  }

  changed(): void {
    this.#isOutdated = true;
    this.#plan(Math.max(0, this.#lookedAtMs + PAUSE_MS - this.#context.clock.now()));
  }

  close(): void {
    this.#isClosed = true;
    this.#callOff?.();
  }

  #plan(delayMs: number): void {
    if (this.#isClosed || this.#isLooking || this.#callOff !== undefined) return;
    if (delayMs === 0) return void this.#look();
    this.#callOff = this.#context.clock.after(delayMs, () => {
      this.#callOff = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const session = this.#session();
    if (session === null) return;
    this.#isLooking = true;
    this.#isOutdated = false;
    this.#lookedAtMs = this.#context.clock.now();
    let pauseMs = PAUSE_MS;
    try {
      const offers = await session.list();
      this.faults.set(null);
      const text = canonicalJson(offers);
      if (!this.#isClosed && text !== this.#text) {
        this.#text = text;
        this.#current = offers;
        this.#report(offers);
      }
    } catch (thrown) {
      const { message } = FsError.from(thrown);
      this.#context.log.warn('An MCP server does not say what it offers.', { error: message });
      this.faults.set(
        new FsError('EIO', `What the server offers is not known: ${message}`, { cause: thrown }),
      );
      // One that ended is asked again once it is back.
      this.#isOutdated = this.#session() === session;
      pauseMs = RETRY_MS;
    }
    this.#isLooking = false;
    if (this.#isOutdated) this.#plan(pauseMs);
  }
}
