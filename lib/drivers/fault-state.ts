import { Emitter, type FsError } from '../core/index.js';

/** Why calls cannot succeed at present, and the listeners for changes of that. */
export class FaultState {
  readonly #changes = new Emitter<FsError | null>();
  #fault: FsError | null = null;

  get current(): FsError | null {
    return this.#fault;
  }

  /** Notifies the listeners, unless nothing changed that a reader could see. */
  set(fault: FsError | null): void {
    const before = this.#fault;
    this.#fault = fault;
    if (before?.code === fault?.code && before?.message === fault?.message) return;
    this.#changes.emit(fault);
  }

  on(listener: (fault: FsError | null) => void): () => void {
    return this.#changes.on(listener);
  }
}
