import { Emitter, FsError, systemClock, type Clock } from '../core/index.js';
import type { Transport } from './transport.js';

export type ConnectionState =
  | { readonly state: 'connecting'; readonly attempt: number }
  | { readonly state: 'open'; readonly transport: Transport }
  | { readonly state: 'backing-off'; readonly delayMs: number; readonly error: FsError }
  | { readonly state: 'closed'; readonly error: FsError | null };

export interface ReconnectorOptions {
  /** Connects and does the handshake; what it answers is ready for use. */
  readonly connect: (signal: AbortSignal) => Promise<Transport>;
  /** The shortest and the longest wait before another attempt. */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** A connection that lasted this long makes the next wait short again. */
  readonly stableAfterMs?: number;
  /**
   * There are other servers that do as well, which many come to at once where one fails: each wait is drawn between
   * nothing and the whole step.
   */
  readonly hasOthers?: boolean;
  /** What becomes of a connection in whose place another one came (`move`). Default: it is closed. */
  readonly leave?: (before: Transport) => void;
  /** True for a failure after which there is no point in trying again. Default: never. */
  readonly isFinal?: (error: FsError) => boolean;
  readonly clock?: Clock;
  /** 0 to 1, for the jitter. */
  readonly random?: () => number;
}

/**
 * A server that was started anew is back within moments. For so long after a connection was lost that had lasted, a
 * wait adds an eighth to the time that it is away, within these bounds.
 */
const SOON_MS = 3_000;
const SOON_LEAST_MS = 50;
const SOON_MOST_MS = 200;
/** Over so long, those spread who lose one of several servers. */
const SPREAD_MS = 300;

/**
 * Keeps one connection: connects, and when it is lost connects again, forever, waiting longer each time
 * and never in step with others (each wait is drawn between half the current step and the whole); only just
 * after a loss it stays quick. Keeps the process alive until it is closed.
 */
export class Reconnector {
  readonly states = new Emitter<ConnectionState>();
  readonly #options: Required<ReconnectorOptions>;
  #state: ConnectionState = { state: 'closed', error: null };
  #failures = 0;
  /** The last wait, before its jitter; 0 before the first. */
  #stepMs = 0;
  /** Since when a connection that had lasted is away. */
  #awaySinceMs = -Infinity;
  #attempt: AbortController | undefined;
  /** The attempt to get another connection in the place of the one that there is. */
  #moving: AbortController | undefined;
  #cancelMove: (() => void) | undefined;
  #cancelWait: (() => void) | undefined;
  #keepsProcess: NodeJS.Timeout | undefined;

  constructor(options: ReconnectorOptions) {
    this.#options = {
      minDelayMs: 100,
      maxDelayMs: 5000,
      stableAfterMs: 1000,
      hasOthers: false,
      leave: (before) => before.close(),
      isFinal: () => false,
      clock: systemClock,
      random: Math.random,
      ...options,
    };
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Begins; does nothing where it has begun. */
  start(): void {
    if (this.#state.state === 'closed') this.#connect();
  }

  /** Does not wait out the present delay. */
  retryNow(): void {
    if (this.#state.state !== 'backing-off') return;
    this.#cancelWait?.();
    this.#connect();
  }

  /**
   * Gets another connection, in `withinMs` at a moment of its own; the present one serves on until then, and is left
   * (`leave`) when the other is in its place. Does nothing where it is about to.
   */
  move(withinMs = 0): void {
    if (this.#state.state !== 'open' || this.#cancelMove !== undefined) return;
    const { clock, random } = this.#options;
    this.#cancelMove = clock.after(withinMs * random(), () => this.#move());
  }

  /** What is under way is of no use any longer: connects at once, as `move` does where there is a connection. */
  connectAfresh(): void {
    const { state } = this.#state;
    if (state === 'open') {
      this.#endMove();
      this.#move();
    } else if (state === 'connecting') {
      this.#endMove();
      this.#attempt?.abort(new FsError('ECANCELED', 'It is tried afresh.'));
      this.#connect();
    } else this.retryNow();
  }

  /** Stops for good, closing what is open; `error` says why if it was not asked for. */
  close(error: FsError | null = null): void {
    if (this.#state.state === 'closed') return;
    const before = this.#state;
    this.#cancelWait?.();
    this.#endMove();
    this.#enter({ state: 'closed', error });
    this.#attempt?.abort(error ?? new FsError('ECANCELED', 'The connection was closed.'));
    if (before.state === 'open') before.transport.close();
  }

  #connect(): void {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#enter({ state: 'connecting', attempt: this.#failures + 1 });
    this.#options.connect(attempt.signal).then(
      (transport) => {
        if (attempt.signal.aborted) transport.destroy();
        else this.#opened(transport);
      },
      (thrown: unknown) => {
        if (!attempt.signal.aborted) this.#failed(FsError.from(thrown));
      },
    );
  }

  #move(): void {
    const attempt = new AbortController();
    this.#moving = attempt;
    this.#cancelMove ??= () => undefined;
    this.#options.connect(attempt.signal).then(
      (transport) => {
        if (attempt.signal.aborted) {
          transport.destroy();
          return;
        }
        const before = this.#state;
        this.#moving = this.#cancelMove = undefined;
        this.#opened(transport);
        if (before.state === 'open') this.#options.leave(before.transport);
      },
      (thrown: unknown) => {
        if (attempt.signal.aborted) return;
        const error = FsError.from(thrown);
        this.#moving = this.#cancelMove = undefined;
        // While the present one lasts, it is asked for again.
        if (this.#state.state !== 'open' || this.#options.isFinal(error)) this.#failed(error);
        else this.move(this.#options.maxDelayMs);
      },
    );
  }

  #endMove(): void {
    this.#cancelMove?.();
    this.#moving?.abort(new FsError('ECANCELED', 'The connection was closed.'));
    this.#moving = this.#cancelMove = undefined;
  }

  #opened(transport: Transport): void {
    const since = this.#options.clock.now();
    transport.onClose(({ code, reason }) => {
      if (this.#state.state !== 'open' || this.#state.transport !== transport) return;
      const now = this.#options.clock.now();
      if (now - since >= this.#options.stableAfterMs) {
        this.#failures = 0;
        this.#stepMs = 0;
        this.#awaySinceMs = now;
      }
      // Another one is under way already.
      if (this.#moving !== undefined) {
        this.#enter({ state: 'connecting', attempt: this.#failures + 1 });
        return;
      }
      this.#endMove();
      this.#failed(
        new FsError('EHOSTDOWN', `The connection was lost (${code}${reason === '' ? '' : `: ${reason}`}).`),
      );
    });
    this.#enter({ state: 'open', transport });
  }

  #failed(error: FsError): void {
    if (this.#options.isFinal(error)) {
      this.#enter({ state: 'closed', error });
      return;
    }
    const { random, clock, hasOthers } = this.#options;
    this.#failures++;
    this.#stepMs = this.#nextStepMs();
    const delayMs = hasOthers
      ? Math.max(SPREAD_MS, this.#stepMs) * random()
      : this.#stepMs / 2 + (this.#stepMs / 2) * random();
    this.#cancelWait = clock.after(delayMs, () => this.#connect());
    this.#enter({ state: 'backing-off', delayMs, error });
  }

  #nextStepMs(): number {
    const { minDelayMs, maxDelayMs, clock } = this.#options;
    const awayMs = clock.now() - this.#awaySinceMs;
    const step =
      awayMs < SOON_MS
        ? Math.min(SOON_MOST_MS, Math.max(SOON_LEAST_MS, awayMs / 8))
        : Math.max(minDelayMs, this.#stepMs * 2);
    return Math.min(maxDelayMs, step);
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    if (state.state === 'closed') {
      clearInterval(this.#keepsProcess);
      this.#keepsProcess = undefined;
    } else {
      this.#keepsProcess ??= setInterval(() => undefined, 2 ** 30);
    }
    this.states.emit(state);
  }
}
