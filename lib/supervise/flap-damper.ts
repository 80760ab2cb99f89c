import type { Clock } from '../core/index.js';
import { isWorse, type HealthState, type HealthAssessment } from './health.js';

/** More changes than this within the window is flapping. */
const MANY = 4;
const WINDOW_MS = 10_000;
/** While it flaps, an improvement is believed once it has lasted so long. */
const STABLE_MS = 5_000;

/**
 * What is reported of a service's health: each change once, at once; but while it goes back and forth, only
 * that it got worse, and that it is well again when that has lasted.
 */
export class FlapDamper {
  readonly #clock: Clock;
  readonly #report: (assessment: HealthAssessment, from: HealthState) => void;
  #published: HealthAssessment;
  #changes: number[] = [];
  /** An improvement that has to last before it is believed. */
  #awaited: { assessment: HealthAssessment; readonly callOff: () => void } | undefined;

  constructor(
    first: HealthAssessment,
    clock: Clock,
    report: (assessment: HealthAssessment, from: HealthState) => void,
  ) {
    this.#published = first;
    this.#clock = clock;
    this.#report = report;
  }

  get published(): HealthAssessment {
    return this.#published;
  }

  offer(assessment: HealthAssessment): void {
    if (assessment.state === this.#awaited?.assessment.state) {
      this.#awaited.assessment = assessment;
      return;
    }
    this.#forget();
    if (assessment.state === this.#published.state) {
      this.#published = assessment;
      return;
    }
    const now = this.#clock.now();
    this.#changes = this.#changes.filter((at) => now - at < WINDOW_MS);
    const isFlapping = this.#changes.length >= MANY;
    if (isFlapping && isWorse(this.#published.state, assessment.state))
      this.#awaited = {
        assessment,
        callOff: this.#clock.after(STABLE_MS, () => this.#publish(this.#awaited?.assessment ?? assessment)),
      };
    else this.#publish(assessment);
  }

  /** What comes next was asked for: it is reported at once. */
  reset(): void {
    this.#forget();
    this.#changes = [];
  }

  #forget(): void {
    this.#awaited?.callOff();
    this.#awaited = undefined;
  }

  #publish(assessment: HealthAssessment): void {
    this.#forget();
    const from = this.#published.state;
    this.#published = assessment;
    this.#changes.push(this.#clock.now());
    this.#report(assessment, from);
  }
}
