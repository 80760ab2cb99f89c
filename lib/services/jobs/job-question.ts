import type { JsonObject } from '../../core/index.js';
import type { Question } from '../../drivers/index.js';

/** What the driver of a job asks its caller, until it is answered or no longer wants to know. */
export interface JobQuestion {
  /** From 1: which one of its job it is. */
  readonly number: number;
  readonly question: Question;
  /** Null: the caller declines. */
  answer(answer: JsonObject | null): void;
}

/** Holds the question of a job; `changed` is called when it comes and when it goes. */
export class QuestionBox {
  readonly #changed: () => void;
  #asked: JobQuestion | null = null;
  #count = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get asked(): JobQuestion | null {
    return this.#asked;
  }

  /** Resolves with the answer; null where the caller declines, is asked something else, or `signal` aborts. */
  ask(question: Question, signal: AbortSignal): Promise<JsonObject | null> {
    if (this.#asked !== null || signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const answer: JobQuestion['answer'] = (given) => {
        signal.removeEventListener('abort', abandon);
        this.#asked = null;
        this.#changed();
        resolve(given);
      };
      const abandon = (): void => answer(null);
      signal.addEventListener('abort', abandon, { once: true });
      this.#asked = { number: ++this.#count, question, answer };
      this.#changed();
    });
  }
}
