/**
 * What drivers start ahead of calls: it is held back while the node itself starts, which it would slow down, and
 * which needs none of it. A call that comes earlier starts what it needs itself.
 */
export class AheadStarts {
  #held: (() => void)[] | null;

  /** `isHeld`: until `release`; else nothing is held back. */
  constructor(isHeld: boolean) {
    this.#held = isHeld ? [] : null;
  }

  /** Begins at once, or once it is released. `begin` may come when its driver was closed, or has begun already. */
  begin(begin: () => void): void {
    if (this.#held === null) begin();
    else this.#held.push(begin);
  }

  /** Begins what was held back, each in a turn of its own so that requests come between; from now on nothing is held. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    const next = (): void => {
      const begin = held.shift();
      if (begin === undefined) return;
      begin();
      setImmediate(next);
    };
    setImmediate(next);
  }
}
