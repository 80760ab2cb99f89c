import type { Clock } from '../core/index.js';
import { isWorse, type HealthState, type Judgement } from './health.js';

/** More changes than this within the window is flapping. */
const MANY = 4;
const WINDOW_MS = 10_000;
/** While it flaps, an improvement is believed once it has lasted so long. */
const STABLE_MS = 5_000;

/**
 * What is told of a service's health: each change once, at once; but while it goes back and forth, only
 * that it got worse, and that it is well again when that has lasted.
 */
export class FlapDamper {
  readonly #clock: Clock;
  readonly #tell: (judgement: Judgement, from: HealthState) => void;
  #published: Judgement;
  #changes: number[] = [];
  /** An improvement that has to last before it is believed. */
  #awaited: { judgement: Judgement; readonly callOff: () => void } | undefined;

  constructor(first: Judgement, clock: Clock, tell: (judgement: Judgement, from: HealthState) => void) {
    this.#published = first;
    this.#clock = clock;
    this.#tell = tell;
  }

  get published(): Judgement {
    return this.#published;
  }

  offer(judgement: Judgement): void {
    if (judgement.state === this.#awaited?.judgement.state) {
      this.#awaited.judgement = judgement;
      return;
    }
    this.#forget();
    if (judgement.state === this.#published.state) {
      this.#published = judgement;
      return;
    }
    const now = this.#clock.now();
    this.#changes = this.#changes.filter((at) => now - at < WINDOW_MS);
    const isFlapping = this.#changes.length >= MANY;
    if (isFlapping && isWorse(this.#published.state, judgement.state))
      this.#awaited = {
        judgement,
        callOff: this.#clock.after(STABLE_MS, () => this.#publish(this.#awaited!.judgement)),
      };
    else this.#publish(judgement);
  }

  /** What comes next was asked for: it is told at once. */
  reset(): void {
    this.#forget();
    this.#changes = [];
  }

  #forget(): void {
    this.#awaited?.callOff();
    this.#awaited = undefined;
  }

  #publish(judgement: Judgement): void {
    this.#forget();
    const from = this.#published.state;
    this.#published = judgement;
    this.#changes.push(this.#clock.now());
    this.#tell(judgement, from);
  }
}
