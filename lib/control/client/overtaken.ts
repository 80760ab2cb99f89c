/** An attempt that is under way learns its epoch within this time, as a rule. */
const PATIENCE_MS = 1_000;

export interface OvertakenOptions {
  /** The epoch that the node has. */
  readonly epoch: () => number;
  readonly connectAgain: () => void;
}

/**
 * Notices that a later connection of this very process has taken the node's place, and its answer never came: what is sent over
 * the present one is refused, and its tunnel is ended, so that another connection is needed at once.
 */
export class Overtaken {
  readonly #options: OvertakenOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OvertakenOptions) {
    this.#options = options;
  }

  /** `epoch` is that of the later connection, whose answer may be on its way. */
  by(epoch: number): void {
    clearTimeout(this.#timer);
    const look = (): void => {
      if (this.#options.epoch() < epoch) this.#options.connectAgain();
    };
    this.#timer = setTimeout(look, PATIENCE_MS * (0.5 + Math.random() / 2)).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
